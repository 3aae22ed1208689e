// Loads over UDP, many datagrams to a system call: echoed with a window, towards the stack as fast
// as it goes (the far end reports how many came), and from the stack as fast as it sends.
#include <poll.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "fd.h"
#include "load.h"

namespace portside {

namespace {
constexpr int BATCH = 32;
constexpr int ROOM = 2048;
constexpr int WAIT_MS = 20;
/** Octets of the count in the far end's report, and of ours. */
constexpr size_t COUNT_OCTETS = 8;
/** How often the source is told to go on. */
constexpr uint64_t GO_NS = 10000000;
constexpr int BUFFER = 4 << 20;

/** A connected socket with a batch of messages in each direction. */
class Line {
 public:
  Line(const LoadOptions& o, LoadResult& result) {
    const Target to = targetOf(o);
    fd_.reset(::socket(to.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int buffer = BUFFER;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (fd_.get() < 0 ||
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to.address), to.len) != 0) {
      result.failure = fail(errno, "connect");
    }
    std::memset(out_, 'x', sizeof out_);
    for (int i = 0; i < BATCH; i++) {
      outPieces_[i] = {out_, static_cast<size_t>(o.size)};
      outgoing_[i].msg_hdr.msg_iov = &outPieces_[i];
      outgoing_[i].msg_hdr.msg_iovlen = 1;
      inPieces_[i] = {in_[i], ROOM};
      incoming_[i].msg_hdr.msg_iov = &inPieces_[i];
      incoming_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  /** How many of `count` datagrams the kernel took; at most a batch. */
  int send(int count) {
    const int n = ::sendmmsg(fd_.get(), outgoing_, static_cast<unsigned>(count), 0);
    return n < 0 ? 0 : n;
  }

  /** How many came; 0 when there was none, or none in WAIT_MS. */
  int receive(bool waits) {
    if (waits) {
      pollfd p = {fd_.get(), POLLIN, 0};
      if (::poll(&p, 1, WAIT_MS) <= 0) return 0;
    }
    const int n = ::recvmmsg(fd_.get(), incoming_, BATCH, MSG_DONTWAIT, nullptr);
    return n < 0 ? 0 : n;
  }

  double octets(int i) const { return incoming_[i].msg_len; }

  /** The count that the i-th datagram reports. */
  double count(int i) const {
    double value = 0;
    if (incoming_[i].msg_len >= COUNT_OCTETS) std::memcpy(&value, in_[i], COUNT_OCTETS);
    return value;
  }

 private:
  Fd fd_;
  uint8_t out_[ROOM];
  uint8_t in_[BATCH][ROOM];
  iovec outPieces_[BATCH] = {};
  iovec inPieces_[BATCH] = {};
  mmsghdr outgoing_[BATCH] = {};
  mmsghdr incoming_[BATCH] = {};
};

void echo(const LoadOptions& o, Line& line, LoadResult& result) {
  int free = o.connections;
  Meter meter(o, result);
  while (meter.goesOn()) {
    meter.justBegun();
    while (free > 0) {
      const int sent = line.send(free < BATCH ? free : BATCH);
      if (sent == 0) break;
      free -= sent;
    }
    const int n = line.receive(true);
    if (n == 0) {
      // None comes any more: what is missing was lost.
      result.failed += o.connections - free;
      free = o.connections;
    }
    for (int i = 0; i < n; i++) result.octets += line.octets(i);
    result.operations += n;
    free += n;
    if (free > o.connections) free = o.connections;
  }
  meter.finish();
}

void flood(const LoadOptions& o, Line& line, LoadResult& result) {
  double before = 0;
  double last = 0;
  double sent = 0;
  Meter meter(o, result);
  while (meter.goesOn()) {
    if (meter.justBegun()) {
      before = last;
      sent = 0;
    }
    sent += line.send(BATCH);
    for (int n = line.receive(false), i = 0; i < n; i++) {
      if (line.count(i) > last) last = line.count(i);
    }
  }
  meter.finish();
  result.operations = last - before;
  result.octets = result.operations * o.size;
  result.failed = sent > result.operations ? sent - result.operations : 0;
}

void drain(const LoadOptions& o, Line& line, LoadResult& result) {
  uint64_t toldNs = 0;
  Meter meter(o, result);
  while (meter.goesOn()) {
    meter.justBegun();
    if (meter.now() - toldNs > GO_NS) {
      line.send(1);
      toldNs = meter.now();
    }
    const int n = line.receive(true);
    for (int i = 0; i < n; i++) result.octets += line.octets(i);
    result.operations += n;
  }
  meter.finish();
}
}  // namespace

void runUdpLoad(const LoadOptions& o, LoadResult& result) {
  if (o.size > ROOM) {
    result.failure = fail(EMSGSIZE, "load");
    return;
  }
  Line line(o, result);
  if (result.failure) return;
  if (o.mode == "udp-echo") {
    echo(o, line, result);
  } else if (o.mode == "udp-in") {
    flood(o, line, result);
  } else if (o.mode == "udp-out") {
    drain(o, line, result);
  } else {
    result.failure = fail(EINVAL, "load", "no such mode");
  }
}

}  // namespace portside
