// Names of the errno values that opening, configuring and driving a device can give. libuv's own
// table lacks EBADFD, and strerrorname_np is glibc's alone.
#include "failure.h"

#include <cerrno>

namespace portside {

namespace {
struct Name {
  int err;
  const char* name;
};
#define NAMED(e) {e, #e}
constexpr Name NAMES[] = {
    NAMED(EPERM),      NAMED(ENOENT),       NAMED(EINTR),         NAMED(EIO),
    NAMED(ENXIO),      NAMED(EBADF),        NAMED(EAGAIN),        NAMED(ENOMEM),
    NAMED(EACCES),     NAMED(EFAULT),       NAMED(EBUSY),         NAMED(EEXIST),
    NAMED(ENODEV),     NAMED(ENOTDIR),      NAMED(EISDIR),        NAMED(EINVAL),
    NAMED(ENFILE),     NAMED(EMFILE),       NAMED(ENOTTY),        NAMED(ENOSPC),
    NAMED(EROFS),      NAMED(ERANGE),       NAMED(ENAMETOOLONG),  NAMED(ENOSYS),
    NAMED(EBADFD),     NAMED(EMSGSIZE),     NAMED(EPROTONOSUPPORT), NAMED(EOPNOTSUPP),
    NAMED(EAFNOSUPPORT), NAMED(EADDRINUSE), NAMED(EADDRNOTAVAIL), NAMED(ENETDOWN),
    NAMED(ENETUNREACH), NAMED(ENOBUFS),     NAMED(ETIMEDOUT),     NAMED(EHOSTUNREACH),
    NAMED(ECONNREFUSED), NAMED(ECONNRESET), NAMED(EPIPE),         NAMED(EINPROGRESS),
    NAMED(ESRCH),      NAMED(E2BIG),        NAMED(ELOOP),         NAMED(EDQUOT),
};
#undef NAMED
}  // namespace

const char* errnoName(int err) {
  for (const Name& n : NAMES) {
    if (n.err == err) return n.name;
  }
  return "UNKNOWN";
}

}  // namespace portside
