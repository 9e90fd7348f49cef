#include "config/interpolation.h"

#include <filesystem>
#include <utility>

namespace config {

namespace {

constexpr std::string_view kAllowed = "(allowed: ${env:NAME}, ${env:NAME:-default}, ${file:/path}, and $${ for a plain ${)";

using common::ErrorCode;
using common::fail;

bool is_name(std::string_view name) {
  constexpr std::string_view kFirst = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  constexpr std::string_view kRest = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  return !name.empty() && kFirst.contains(name.front()) && name.find_first_not_of(kRest) == std::string_view::npos;
}

void add_origin(Interpolated& result, std::string origin) {
  result.origin += result.origin.empty() ? std::move(origin) : ", " + origin;
}

common::Result<void> put_variable(std::string_view reference, const std::map<std::string, std::string>& environment,
                                  Interpolated& result) {
  const std::size_t separator = reference.find(":-");
  const std::string name(reference.substr(0, separator));
  if (!is_name(name)) {
    return fail(ErrorCode::kConfigInvalid, "'" + name + "' is no name of an environment variable " + std::string(kAllowed));
  }
  const auto found = environment.find(name);
  // As in a shell, `:-` stands in for an empty variable too.
  if (separator != std::string_view::npos && (found == environment.end() || found->second.empty())) {
    result.text += reference.substr(separator + 2);
    add_origin(result, "default of environment " + name);
    return {};
  }
  if (found == environment.end()) {
    return fail(ErrorCode::kConfigInvalid,
                "environment variable " + name + " is not set (allowed: set it, or write ${env:" + name + ":-default})");
  }
  result.text += found->second;
  add_origin(result, "environment " + name);
  return {};
}

common::Result<void> put_file(const std::string& path, const ReadFile& read_file, Interpolated& result) {
  if (path.empty()) {
    return fail(ErrorCode::kConfigInvalid, "a file reference has no path " + std::string(kAllowed));
  }
  auto content = read_file ? read_file(path) : fail(ErrorCode::kConfigInvalid, "no files can be read here");
  if (!content) {
    return fail(ErrorCode::kConfigInvalid, "file " + path + " cannot be read: " + content.error().message);
  }
  if (content->ends_with('\n')) {
    content->pop_back();
    if (content->ends_with('\r')) {
      content->pop_back();
    }
  }
  if (content->empty()) {
    return fail(ErrorCode::kConfigInvalid, "file " + path + " is empty (allowed: a file with the value)");
  }
  result.text += *content;
  result.from_file = true;
  add_origin(result, "file " + path);
  return {};
}

}  // namespace

std::string resolve_path(const std::string& directory, const std::string& path) {
  const std::filesystem::path given(path);
  return given.is_absolute() || directory.empty() ? path : (std::filesystem::path(directory) / given).lexically_normal().string();
}

common::Result<Interpolated> interpolate(std::string_view text, const std::map<std::string, std::string>& environment,
                                         const ReadFile& read_file, const std::string& directory) {
  Interpolated result;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t dollar = rest.find('$');
    result.text += rest.substr(0, dollar);
    if (dollar == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(dollar);
    if (rest.starts_with("$${")) {
      result.text += "${";
      rest.remove_prefix(3);
      continue;
    }
    if (!rest.starts_with("${")) {
      result.text += '$';
      rest.remove_prefix(1);
      continue;
    }
    const std::size_t end = rest.find('}');
    if (end == std::string_view::npos) {
      return fail(ErrorCode::kConfigInvalid, "a reference is not closed by } " + std::string(kAllowed));
    }
    const std::string_view reference = rest.substr(2, end - 2);
    common::Result<void> put;
    if (reference.starts_with("env:")) {
      put = put_variable(reference.substr(4), environment, result);
    } else if (reference.starts_with("file:")) {
      const std::string given(reference.substr(5));
      const std::string path = given.empty() ? given : resolve_path(directory, given);
      put = put_file(path, read_file, result);
      if (rest.size() == text.size() && end + 1 == rest.size()) {
        result.whole_file = path;
      }
    } else {
      put = fail(ErrorCode::kConfigInvalid, "a reference of unknown kind " + std::string(kAllowed));
    }
    if (!put) {
      return fail(std::move(put.error()));
    }
    result.changed = true;
    rest.remove_prefix(end + 1);
  }
  return result;
}

}  // namespace config
