// The three system calls of io_uring, by number: liburing is no dependency. Every operation carries
// RWF_NOWAIT: it is done, or refused with EAGAIN, before io_uring_enter returns, in the order in
// which it was added; nothing is ever left in the kernel's hands.
#include "uring.h"

#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#if defined(__has_include)
#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif
#endif

// Linux 5.6: IORING_OP_READ came with this feature. Older headers: no ring.
#if defined(IORING_FEAT_RW_CUR_POS) && defined(SYS_io_uring_setup) && defined(RWF_NOWAIT)

namespace portside {

namespace {
/** Calls of io_uring_enter for one run: it is interrupted, or takes a part only. */
constexpr int MOST_ENTERS = 2 * Uring::ENTRIES;

template <typename T>
T* at(void* base, uint32_t offset) {
  return reinterpret_cast<T*>(static_cast<uint8_t*>(base) + offset);
}

void* mapped(int fd, size_t size, off_t what) {
  void* p = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
  return p == MAP_FAILED ? nullptr : p;
}

void unmap(void*& p, size_t size) {
  if (p != nullptr) ::munmap(p, size);
  p = nullptr;
}
}  // namespace

bool Uring::open() {
  tried_ = true;
  io_uring_params params = {};
  ring_.reset(static_cast<int>(::syscall(SYS_io_uring_setup, ENTRIES, &params)));
  if (!ring_.valid()) return false;
  // An older kernel than 5.6 does not know every operation used here.
  if ((params.features & IORING_FEAT_RW_CUR_POS) == 0) {
    off();
    return false;
  }
  const uint32_t sqBytes = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
  const uint32_t cqBytes = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  if (!map(sqBytes, cqBytes, params.sq_entries * sizeof(io_uring_sqe))) {
    off();
    return false;
  }
  sqTail_ = at<uint32_t>(sq_, params.sq_off.tail);
  sqArray_ = at<uint32_t>(sq_, params.sq_off.array);
  sqMask_ = *at<uint32_t>(sq_, params.sq_off.ring_mask);
  cqHead_ = at<uint32_t>(cq_, params.cq_off.head);
  cqTail_ = at<uint32_t>(cq_, params.cq_off.tail);
  cqMask_ = *at<uint32_t>(cq_, params.cq_off.ring_mask);
  cqes_ = at<io_uring_cqe>(cq_, params.cq_off.cqes);
  return true;
}

bool Uring::map(uint32_t sqBytes, uint32_t cqBytes, uint32_t sqeBytes) {
  sqBytes_ = sqBytes;
  cqBytes_ = cqBytes;
  sqeBytes_ = sqeBytes;
  sq_ = mapped(ring_.get(), sqBytes_, IORING_OFF_SQ_RING);
  cq_ = mapped(ring_.get(), cqBytes_, IORING_OFF_CQ_RING);
  sqes_ = mapped(ring_.get(), sqeBytes_, IORING_OFF_SQES);
  return sq_ != nullptr && cq_ != nullptr && sqes_ != nullptr;
}

void Uring::off() {
  tried_ = true;
  added_ = 0;
  unmap(sq_, sqBytes_);
  unmap(cq_, cqBytes_);
  unmap(sqes_, sqeBytes_);
  ring_.reset();
}

io_uring_sqe* Uring::next() {
  const uint32_t place = (*sqTail_ + static_cast<uint32_t>(added_)) & sqMask_;
  io_uring_sqe* sqe = static_cast<io_uring_sqe*>(sqes_) + place;
  std::memset(sqe, 0, sizeof *sqe);
  sqe->user_data = static_cast<uint64_t>(added_);
  sqe->rw_flags = RWF_NOWAIT;
  sqArray_[place] = place;
  added_++;
  return sqe;
}

void Uring::read(int fd, void* to, size_t room) {
  io_uring_sqe* sqe = next();
  sqe->opcode = IORING_OP_READ;
  sqe->fd = fd;
  sqe->addr = reinterpret_cast<uint64_t>(to);
  sqe->len = static_cast<uint32_t>(room);
}

void Uring::write(int fd, const iovec* iov, int pieces) {
  io_uring_sqe* sqe = next();
  sqe->opcode = IORING_OP_WRITEV;
  sqe->fd = fd;
  sqe->addr = reinterpret_cast<uint64_t>(iov);
  sqe->len = static_cast<uint32_t>(pieces);
}

int Uring::reap(int32_t* results, int count) {
  uint32_t head = *cqHead_;
  const uint32_t tail = __atomic_load_n(cqTail_, __ATOMIC_ACQUIRE);
  int found = 0;
  while (head != tail) {
    const io_uring_cqe& cqe = cqes_[head & cqMask_];
    if (cqe.user_data < static_cast<uint64_t>(count)) results[cqe.user_data] = cqe.res;
    head++;
    found++;
  }
  __atomic_store_n(cqHead_, head, __ATOMIC_RELEASE);
  return found;
}

void Uring::run(int32_t* results) {
  const int count = added_;
  added_ = 0;
  for (int i = 0; i < count; i++) results[i] = NOT_DONE;
  __atomic_store_n(sqTail_, *sqTail_ + static_cast<uint32_t>(count), __ATOMIC_RELEASE);
  int submitted = 0;
  int done = 0;
  for (int i = 0; i < MOST_ENTERS && done < count; i++) {
    const long n = ::syscall(SYS_io_uring_enter, ring_.get(), count - submitted, count - done,
                             IORING_ENTER_GETEVENTS, nullptr, 0);
    if (n < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY) break;
    if (n > 0) submitted += static_cast<int>(n);
    done += reap(results, count);
  }
  bool sound = done == count;
  for (int i = 0; i < count; i++) {
    // An operation or a flag that this kernel or this descriptor does not know.
    if (results[i] != -EOPNOTSUPP && results[i] != -EINVAL) continue;
    results[i] = NOT_DONE;
    sound = false;
  }
  if (!sound) off();
}

}  // namespace portside

#else

namespace portside {

bool Uring::open() {
  tried_ = true;
  return false;
}
void Uring::off() { tried_ = true; }
void Uring::read(int, void*, size_t) {}
void Uring::write(int, const iovec*, int) {}
void Uring::run(int32_t*) {}

}  // namespace portside

#endif
