// What went wrong, as data: errno, the call and a sentence. device.cc makes a JavaScript Error
// of it.
#pragma once

#include <string>

namespace portside {

struct Failure {
  int err = 0;
  std::string syscall;
  std::string detail;

  explicit operator bool() const { return err != 0; }
};

inline Failure ok() { return {}; }
inline Failure fail(int err, const char* syscall, std::string detail = {}) {
  return {err, syscall, std::move(detail)};
}

/** 1 → "EPERM"; "UNKNOWN" for a number that none of our calls gives. */
const char* errnoName(int err);

}  // namespace portside
