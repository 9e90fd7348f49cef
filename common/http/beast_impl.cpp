// The non-template code of Asio's TLS and of Beast, compiled once (BOOST_ASIO_SEPARATE_COMPILATION,
// BOOST_BEAST_SEPARATE_COMPILATION). Asio itself is in common/asio_impl.cpp.

#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
