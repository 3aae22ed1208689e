// Loads over TCP: bulk both ways, requests on standing connections (plain or HTTP/1.1), and
// connections made and ended.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "fd.h"
#include "load.h"

namespace portside {

namespace {
constexpr size_t BLOCK = 256 * 1024;
constexpr int MOST_EVENTS = 64;
constexpr int PATIENCE_S = 5;
constexpr int WAIT_MS = 100;
/** A header of an HTTP answer fits here; what is behind it is counted only. */
constexpr size_t ROOM = 4096;

int open(const Target& to, bool blocking) {
  const int type = SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK);
  const int fd = ::socket(to.address.ss_family, type, 0);
  if (fd < 0) return -1;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/** A connection that stands; its calls give up after PATIENCE_S. */
Fd dial(const Target& to, LoadResult& result) {
  Fd fd;
  fd.reset(open(to, true));
  const timeval patience = {PATIENCE_S, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (fd.get() < 0 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to.address), to.len) != 0) {
    result.failure = fail(errno, "connect");
    fd.reset();
  }
  return fd;
}

tcp_info infoOf(int fd) {
  tcp_info info = {};
  socklen_t len = sizeof info;
  ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
  return info;
}

bool watch(const Fd& epoll, int fd, uint32_t events, size_t i) {
  epoll_event e = {};
  e.events = events;
  e.data.u64 = i;
  return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &e) == 0;
}

/** The connection's end tells the peer at once and leaves no TIME-WAIT behind. */
void abort(Fd& fd) {
  const linger now = {1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd.reset();
}

/** Octets that have passed on all connections: acknowledged when sending. */
double acknowledged(const std::vector<Fd>& fds) {
  double sum = 0;
  for (const Fd& fd : fds) sum += static_cast<double>(infoOf(fd.get()).tcpi_bytes_acked);
  return sum;
}

void bulk(const LoadOptions& o, bool sending, LoadResult& result) {
  std::vector<uint8_t> block(BLOCK, 'x');
  std::vector<Fd> fds(static_cast<size_t>(o.connections));
  const Target to = targetOf(o);
  for (Fd& fd : fds) {
    fd = dial(to, result);
    if (result.failure) return;
  }
  Fd epoll;
  epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
  for (size_t i = 0; i < fds.size(); i++) {
    watch(epoll, fds[i].get(), sending ? EPOLLOUT : EPOLLIN, i);
  }
  Meter meter(o, result);
  double before = 0;
  while (meter.goesOn()) {
    if (meter.justBegun() && sending) before = acknowledged(fds);
    epoll_event events[MOST_EVENTS];
    const int n = ::epoll_wait(epoll.get(), events, MOST_EVENTS, WAIT_MS);
    for (int i = 0; i < n; i++) {
      const int fd = fds[events[i].data.u64].get();
      const ssize_t moved = sending
                                ? ::send(fd, block.data(), BLOCK, MSG_NOSIGNAL | MSG_DONTWAIT)
                                : ::recv(fd, block.data(), BLOCK, MSG_DONTWAIT);
      if (moved > 0 && !sending) result.octets += static_cast<double>(moved);
      if (moved > 0 || (moved < 0 && (errno == EAGAIN || errno == EINTR))) continue;
      result.failure = fail(moved == 0 ? ECONNRESET : errno, sending ? "send" : "recv");
      return;
    }
  }
  if (sending) result.octets = acknowledged(fds) - before;
  meter.finish();
  for (Fd& fd : fds) {
    result.retransmits += infoOf(fd.get()).tcpi_total_retrans;
    abort(fd);
  }
}

/** One connection on which requests follow answers. */
struct Talk {
  Fd fd;
  uint64_t sentNs = 0;
  size_t got = 0;
  /** Octets of the whole answer; 0: not known yet. */
  size_t wanted = 0;
  char head[ROOM];
};

/** Length of an answer whose header is complete; 0 when it is not. */
size_t answerLength(Talk& t) {
  const size_t have = std::min(t.got, ROOM - 1);
  t.head[have] = 0;
  const char* end = std::strstr(t.head, "\r\n\r\n");
  if (end == nullptr) return 0;
  const char* length = ::strcasestr(t.head, "\r\ncontent-length:");
  const bool said = length != nullptr && length < end;
  const size_t body = said ? std::strtoul(length + 17, nullptr, 10) : 0;
  return static_cast<size_t>(end - t.head) + 4 + body;
}

class Talks {
 public:
  Talks(const LoadOptions& o, LoadResult& result) : o_(o), result_(result) {
    isHttp_ = o.mode == "http";
    request_ = isHttp_ ? "GET / HTTP/1.1\r\nHost: bench\r\nConnection: keep-alive\r\n\r\n"
                       : std::string(static_cast<size_t>(o.size), 'x');
  }

  void run() {
    talks_ = std::vector<Talk>(static_cast<size_t>(o_.connections));
    const Target to = targetOf(o_);
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    for (size_t i = 0; i < talks_.size(); i++) {
      talks_[i].fd = dial(to, result_);
      if (result_.failure) return;
      watch(epoll_, talks_[i].fd.get(), EPOLLIN, i);
    }
    for (Talk& t : talks_) {
      if (!ask(t)) return;
    }
    Meter meter(o_, result_);
    // A single connection needs no epoll: the reading call waits, as a plain client's does.
    if (talks_.size() == 1) {
      while (meter.goesOn() && hear(talks_[0], 0)) meter.justBegun();
    } else {
      while (meter.goesOn() && turn()) meter.justBegun();
    }
    meter.finish();
    for (Talk& t : talks_) abort(t.fd);
  }

 private:
  bool turn() {
    epoll_event events[MOST_EVENTS];
    const int n = ::epoll_wait(epoll_.get(), events, MOST_EVENTS, WAIT_MS);
    for (int i = 0; i < n; i++) {
      if (!hear(talks_[events[i].data.u64], MSG_DONTWAIT)) return false;
    }
    return true;
  }

  bool ask(Talk& t) {
    t.got = 0;
    t.wanted = isHttp_ ? 0 : request_.size();
    t.sentNs = monotonicNs();
    const ssize_t n = ::send(t.fd.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
    if (n == static_cast<ssize_t>(request_.size())) return true;
    result_.failure = fail(n < 0 ? errno : EMSGSIZE, "send");
    return false;
  }

  bool hear(Talk& t, int flags) {
    const size_t at = std::min(t.got, ROOM - 1);
    char* to = at < ROOM - 1 ? t.head + at : spare_;
    const size_t room = at < ROOM - 1 ? ROOM - 1 - at : sizeof spare_;
    const ssize_t n = ::recv(t.fd.get(), to, room, flags);
    if (n <= 0) {
      const bool later = (flags & MSG_DONTWAIT) != 0 && errno == EAGAIN;
      if (n < 0 && (errno == EINTR || later)) return true;
      result_.failure = fail(n == 0 ? ECONNRESET : errno, "recv");
      return false;
    }
    t.got += static_cast<size_t>(n);
    if (t.wanted == 0) t.wanted = answerLength(t);
    if (t.wanted == 0 || t.got < t.wanted) return true;
    result_.latencies.add(monotonicNs() - t.sentNs);
    result_.operations += 1;
    result_.octets += static_cast<double>(t.got);
    return ask(t);
  }

  const LoadOptions& o_;
  LoadResult& result_;
  bool isHttp_ = false;
  std::string request_;
  std::vector<Talk> talks_;
  Fd epoll_;
  char spare_[65536];
};

/** One place of `crr`: connects, says an octet, hears one, closes, and connects again. */
struct Caller {
  Fd fd;
  uint64_t begunNs = 0;
  bool asked = false;
};

class Callers {
 public:
  Callers(const LoadOptions& o, LoadResult& result) : o_(o), result_(result), to_(targetOf(o)) {}

  void run() {
    callers_ = std::vector<Caller>(static_cast<size_t>(o_.connections));
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    for (size_t i = 0; i < callers_.size(); i++) {
      if (!call(i)) return;
    }
    Meter meter(o_, result_);
    while (meter.goesOn()) {
      meter.justBegun();
      epoll_event events[MOST_EVENTS];
      const int n = ::epoll_wait(epoll_.get(), events, MOST_EVENTS, WAIT_MS);
      for (int i = 0; i < n; i++) {
        if (!step(static_cast<size_t>(events[i].data.u64), events[i].events)) return;
      }
    }
    meter.finish();
    for (Caller& c : callers_) abort(c.fd);
  }

 private:
  bool call(size_t i) {
    Caller& c = callers_[i];
    c.asked = false;
    c.begunNs = monotonicNs();
    c.fd.reset(open(to_, false));
    const auto* to = reinterpret_cast<const sockaddr*>(&to_.address);
    if (c.fd.get() < 0 || (::connect(c.fd.get(), to, to_.len) != 0 && errno != EINPROGRESS)) {
      result_.failure = fail(errno, "connect");
      return false;
    }
    return watch(epoll_, c.fd.get(), EPOLLOUT, i);
  }

  bool step(size_t i, uint32_t events) {
    Caller& c = callers_[i];
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0) {
      result_.failed += 1;
      return call(i);
    }
    char octet = 'x';
    if (!c.asked) {
      if (::send(c.fd.get(), &octet, 1, MSG_NOSIGNAL) != 1) return true;
      c.asked = true;
      epoll_event e = {};
      e.events = EPOLLIN;
      e.data.u64 = i;
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, c.fd.get(), &e);
      return true;
    }
    const ssize_t n = ::recv(c.fd.get(), &octet, 1, 0);
    if (n < 0 && errno == EAGAIN) return true;
    if (n == 1) {
      result_.latencies.add(monotonicNs() - c.begunNs);
      result_.operations += 1;
    } else {
      result_.failed += 1;
    }
    c.fd.reset();
    return call(i);
  }

  const LoadOptions& o_;
  LoadResult& result_;
  const Target to_;
  std::vector<Caller> callers_;
  Fd epoll_;
};
}  // namespace

void runTcpLoad(const LoadOptions& o, LoadResult& result) {
  if (o.mode == "send" || o.mode == "recv") {
    bulk(o, o.mode == "send", result);
  } else if (o.mode == "rr" || o.mode == "http") {
    Talks(o, result).run();
  } else if (o.mode == "crr") {
    Callers(o, result).run();
  } else {
    result.failure = fail(EINVAL, "load", "no such mode");
  }
}

}  // namespace portside
