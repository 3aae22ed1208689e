// Many reads or writes of one descriptor with one system call (io_uring). A packet is a system call
// on a TUN, and for a small packet the call is half of the price. Where the kernel has no io_uring
// or a sandbox forbids it, `ready` says no and the caller does one call a packet.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "fd.h"

struct io_uring_sqe;
struct io_uring_cqe;

namespace portside {

class Uring {
 public:
  /** Most operations of one run. */
  static constexpr int ENTRIES = 64;
  /** An operation that has not been done: the ring has failed and is off from now on. */
  static constexpr int32_t NOT_DONE = INT32_MIN;

  Uring() = default;
  ~Uring() { off(); }
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  /** Whether there is a ring; the first question makes it. */
  bool ready() { return tried_ ? ring_.valid() : open(); }
  /** Forgets the ring for good. */
  void off();

  /** Adds an operation to the next run; its index there is the count so far. */
  void read(int fd, void* at, size_t room);
  /** `iov` must stay until `run` has returned. */
  void write(int fd, const iovec* iov, int pieces);

  /** Does what was added, in order; `results[i]` is octets, a negative errno, or NOT_DONE. */
  void run(int32_t* results);

 private:
  bool open();
  bool map(uint32_t sqBytes, uint32_t cqBytes, uint32_t sqeBytes);
  io_uring_sqe* next();
  int reap(int32_t* results, int count);

  Fd ring_;
  bool tried_ = false;
  int added_ = 0;
  void* sq_ = nullptr;
  void* cq_ = nullptr;
  void* sqes_ = nullptr;
  size_t sqBytes_ = 0;
  size_t cqBytes_ = 0;
  size_t sqeBytes_ = 0;
  uint32_t* sqTail_ = nullptr;
  uint32_t* sqArray_ = nullptr;
  uint32_t sqMask_ = 0;
  uint32_t* cqHead_ = nullptr;
  uint32_t* cqTail_ = nullptr;
  uint32_t cqMask_ = 0;
  io_uring_cqe* cqes_ = nullptr;
};

}  // namespace portside
