// Asio's non-template code, compiled once for every program of ours (BOOST_ASIO_SEPARATE_COMPILATION).
// TLS and Beast have their own in common/http/beast_impl.cpp, so that a program without HTTP needs no OpenSSL.

#include <boost/asio/impl/src.hpp>
