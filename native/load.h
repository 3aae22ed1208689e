// A load generator on the kernel's own sockets, for `portside bench`: what talks to the stack under
// test must cost little itself, which a client in JavaScript does not. One thread, which is the
// caller's: it runs in a process of its own, inside the namespace of the client.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "failure.h"
#include "netlink.h"

namespace portside {

struct LoadOptions {
  /** send, recv, rr, http, crr, udp-echo, udp-in, udp-out. */
  std::string mode;
  InetAddress host;
  int port = 0;
  /** Connections at a time; with udp-echo datagrams under way. */
  int connections = 1;
  /** Octets of a request, or of a datagram. */
  int size = 64;
  double seconds = 2;
  /** Seconds before it that do not count. */
  double warm = 0.5;
};

/** Latencies in buckets of 1.6 per cent. */
class Latencies {
 public:
  void add(uint64_t ns);
  void clear();
  /** The quantile `q` in µs; 0 when there is nothing. */
  double quantileUs(double q) const;

 private:
  static constexpr int SUB = 64;
  std::vector<uint32_t> buckets_ = std::vector<uint32_t>(64 * SUB);
  uint64_t count_ = 0;
};

struct LoadResult {
  Failure failure;
  /** Answers, connections or datagrams of the time that counts. */
  double operations = 0;
  double octets = 0;
  double seconds = 0;
  /** Connections that did not come about, datagrams without an answer. */
  double failed = 0;
  double retransmits = 0;
  /** CPU time of this process in that time. */
  double cpuSeconds = 0;
  Latencies latencies;
};

uint64_t monotonicNs();

/** The time that counts: it begins when the warm-up is over, and then the figures begin anew. */
class Meter {
 public:
  Meter(const LoadOptions& o, LoadResult& result);
  /** To be asked often: false when the time is over. */
  bool goesOn();
  /** True once, when counting has just begun. */
  bool justBegun();
  void finish();
  uint64_t now() const { return now_; }
  bool counting() const { return counting_; }

 private:
  LoadResult& result_;
  uint64_t now_;
  uint64_t warmEnd_;
  uint64_t length_;
  uint64_t start_ = 0;
  double cpu_ = 0;
  bool counting_ = false;
  bool fresh_ = false;
};

/** The far end's address as the calls want it. */
struct Target {
  sockaddr_storage address = {};
  socklen_t len = 0;
};
Target targetOf(const LoadOptions& o);

void runTcpLoad(const LoadOptions& o, LoadResult& result);
void runUdpLoad(const LoadOptions& o, LoadResult& result);
LoadResult runLoad(const LoadOptions& o);

}  // namespace portside
