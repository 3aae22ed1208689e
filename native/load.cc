// What all kinds of load have in common: time, CPU time, latencies, the far end's address.
#include "load.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace portside {

namespace {
double cpuSecondsNow() {
  rusage used = {};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}
}  // namespace

uint64_t monotonicNs() {
  timespec t = {};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

void Latencies::add(uint64_t ns) {
  // 64 buckets for each power of two, those of the lower half of each unused but the first's.
  int shift = 0;
  while ((ns >> shift) >= SUB) shift++;
  const size_t at = static_cast<size_t>(shift) * SUB + static_cast<size_t>(ns >> shift);
  buckets_[std::min(at, buckets_.size() - 1)]++;
  count_++;
}

void Latencies::clear() {
  std::fill(buckets_.begin(), buckets_.end(), 0);
  count_ = 0;
}

double Latencies::quantileUs(double q) const {
  const double wanted = q * static_cast<double>(count_);
  double seen = 0;
  for (size_t at = 0; at < buckets_.size(); at++) {
    seen += buckets_[at];
    if (seen <= wanted || buckets_[at] == 0) continue;
    return static_cast<double>(static_cast<uint64_t>(at % SUB) << (at / SUB)) / 1000.0;
  }
  return 0;
}

Meter::Meter(const LoadOptions& o, LoadResult& result) : result_(result), now_(monotonicNs()) {
  warmEnd_ = now_ + static_cast<uint64_t>(o.warm * 1e9);
  length_ = static_cast<uint64_t>(o.seconds * 1e9);
}

bool Meter::goesOn() {
  now_ = monotonicNs();
  if (!counting_ && now_ >= warmEnd_) {
    counting_ = true;
    fresh_ = true;
    start_ = now_;
    cpu_ = cpuSecondsNow();
    result_.operations = 0;
    result_.octets = 0;
    result_.failed = 0;
    result_.latencies.clear();
  }
  return !counting_ || now_ - start_ < length_;
}

bool Meter::justBegun() {
  const bool was = fresh_;
  fresh_ = false;
  return was;
}

void Meter::finish() {
  if (!counting_) return;
  result_.seconds = static_cast<double>(monotonicNs() - start_) / 1e9;
  result_.cpuSeconds = cpuSecondsNow() - cpu_;
}

Target targetOf(const LoadOptions& o) {
  Target t;
  if (o.host.family == AF_INET) {
    auto* in = reinterpret_cast<sockaddr_in*>(&t.address);
    in->sin_family = AF_INET;
    in->sin_port = htons(static_cast<uint16_t>(o.port));
    std::memcpy(&in->sin_addr, o.host.octets, 4);
    t.len = sizeof(sockaddr_in);
  } else {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&t.address);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(static_cast<uint16_t>(o.port));
    std::memcpy(&in6->sin6_addr, o.host.octets, 16);
    t.len = sizeof(sockaddr_in6);
  }
  return t;
}

LoadResult runLoad(const LoadOptions& o) {
  LoadResult result;
  if (o.mode.rfind("udp-", 0) == 0) {
    runUdpLoad(o, result);
  } else {
    runTcpLoad(o, result);
  }
  return result;
}

}  // namespace portside
