// The system calls of the data path.
#include "pump.h"

#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace portside {

namespace {

/** struct virtio_net_hdr; linux/virtio_net.h itself is no C++ in every version. */
struct VnetHeader {
  uint8_t flags;
  uint8_t gsoType;
  uint16_t hdrLen;
  uint16_t gsoSize;
  uint16_t csumStart;
  uint16_t csumOffset;
};
static_assert(sizeof(VnetHeader) == 10, "as the kernel lays it out");
constexpr uint8_t F_NEEDS_CSUM = 1;
constexpr uint8_t F_DATA_VALID = 2;
constexpr int GSO_NONE = 0;
constexpr int GSO_TCPV4 = 1;
constexpr int GSO_UDP = 3;
constexpr int GSO_TCPV6 = 4;
constexpr int GSO_UDP_L4 = 5;
constexpr int GSO_ECN = 0x80;

constexpr size_t MOST_HEADER = 64;
constexpr size_t MAX_WRITE = 65535 + 18;
constexpr int TCP_FLAGS_AT = 13;
constexpr uint8_t TCP_CWR = 0x80;

size_t aligned(size_t at) { return (at + 63) & ~static_cast<size_t>(63); }

bool knownGso(int type) {
  return type == GSO_TCPV4 || type == GSO_UDP ||
         type == GSO_TCPV6 || type == GSO_UDP_L4;
}

/** Every field is checked here, so that no layer above meets an offset outside of its packet. */
int32_t readHeader(const uint8_t* at, int32_t len, int32_t* row) {
  VnetHeader h;
  std::memcpy(&h, at, sizeof h);
  int32_t flags = 0;
  if ((h.flags & F_NEEDS_CSUM) != 0) {
    flags |= RX_NEEDS_CSUM;
    if (h.csumStart + h.csumOffset + 2 > len) flags |= RX_BAD_META;
    row[RX_CSUM_START] = h.csumStart;
    row[RX_CSUM_OFFSET] = h.csumOffset;
  }
  if ((h.flags & F_DATA_VALID) != 0) flags |= RX_DATA_VALID;
  const int type = h.gsoType & ~GSO_ECN;
  if (type != GSO_NONE) {
    if (!knownGso(type) || h.gsoSize == 0) flags |= RX_BAD_META;
    row[RX_GSO_TYPE] = type;
    row[RX_GSO_SIZE] = h.gsoSize;
  }
  row[RX_HDR_LEN] = h.hdrLen < len ? h.hdrLen : len;  // a hint, so never a reason to drop
  return flags;
}

ssize_t readOnce(int fd, uint8_t* at, size_t room) {
  for (int i = 0; i < 8; i++) {
    const ssize_t n = ::read(fd, at, room);
    if (n >= 0 || errno != EINTR) return n;
  }
  return -1;
}

void fillRow(const Framing& framing, const uint8_t* slab, size_t off, ssize_t n, int32_t* row) {
  std::memset(row, 0, RX_STRIDE * sizeof(int32_t));
  row[RX_OFF] = static_cast<int32_t>(off);
  const ssize_t body = n - framing.headerSize;
  const ssize_t most = static_cast<ssize_t>(MAX_PACKET);
  const int32_t len = static_cast<int32_t>(body < 0 ? 0 : body > most ? most : body);
  row[RX_LEN] = len;
  if (body < 0 || body > most) {
    row[RX_FLAGS] = RX_BAD_META;
  } else if (framing.headerSize > 0) {
    row[RX_FLAGS] = readHeader(slab + off - framing.headerSize, len, row);
  }
}

bool inside(size_t off, size_t len, size_t size) { return off <= size && len <= size - off; }

/** The virtio-net header of one row. False: the row's checksum offsets make no sense. */
bool writeHeader(const int32_t* row, const uint8_t* packet, size_t total, uint8_t* to) {
  VnetHeader h = {};
  const int32_t headerLen = row[TX_HEADER_LEN];
  if ((row[TX_FLAGS] & TX_NEEDS_CSUM) != 0) {
    const int32_t start = row[TX_CSUM_START];
    const int32_t offset = row[TX_CSUM_OFFSET];
    if (start < 0 || offset < 0 || start > 0xffff || offset > 0xffff) return false;
    if (start + offset + 2 > headerLen) return false;
    h.flags = F_NEEDS_CSUM;
    h.csumStart = static_cast<uint16_t>(start);
    h.csumOffset = static_cast<uint16_t>(offset);
  }
  const int type = row[TX_GSO_TYPE];
  if (type != GSO_NONE) {
    if (!knownGso(type) || row[TX_GSO_SIZE] <= 0 || row[TX_GSO_SIZE] > 0xffff) return false;
    h.gsoType = static_cast<uint8_t>(type);
    h.gsoSize = static_cast<uint16_t>(row[TX_GSO_SIZE]);
    const size_t linear = static_cast<size_t>(headerLen);
    h.hdrLen = static_cast<uint16_t>(linear < total ? linear : total);
    // A super-segment with CWR must carry it in its first piece only (RFC 3168 §6.1.2).
    const int32_t flagsAt = row[TX_CSUM_START] + TCP_FLAGS_AT;
    const bool isTcp = type == GSO_TCPV4 || type == GSO_TCPV6;
    if (isTcp && row[TX_CSUM_START] > 0 && flagsAt < headerLen &&
        (packet[flagsAt] & TCP_CWR) != 0) {
      h.gsoType |= GSO_ECN;
    }
  }
  std::memcpy(to, &h, sizeof h);
  return true;
}

/** Points `iov` at one row's octets. Their number, or 0 for a row that must not be sent. */
size_t gather(const TxBatch& batch, const int32_t* row, iovec* iov, int& pieces) {
  const int32_t count = row[TX_PIECES];
  if (row[TX_HEADER_OFF] < 0 || row[TX_HEADER_LEN] <= 0 || count < 0 || count > MAX_PIECES) {
    return 0;
  }
  size_t total = static_cast<size_t>(row[TX_HEADER_LEN]);
  if (!inside(static_cast<size_t>(row[TX_HEADER_OFF]), total, batch.slab.len)) return 0;
  iov[0] = {batch.slab.data + row[TX_HEADER_OFF], total};
  pieces = 1;
  for (int32_t i = 0; i < count; i++) {
    const int32_t* piece = row + TX_FIRST_PIECE + 3 * i;
    const int32_t which = piece[0];
    if (piece[1] < 0 || piece[2] < 0) return 0;
    if (which >= 0 && static_cast<size_t>(which) >= batch.bufferCount) return 0;
    const Span& from = which < 0 ? batch.slab : batch.buffers[which];
    const size_t off = static_cast<size_t>(piece[1]);
    const size_t len = static_cast<size_t>(piece[2]);
    if (!inside(off, len, from.len)) return 0;
    if (len == 0) continue;
    iov[pieces++] = {from.data + off, len};
    total += len;
  }
  return total <= MAX_WRITE ? total : 0;
}

void countFailure(int err, Stats& stats) {
  stats.lastTxErrno = err;
  if (err == EAGAIN || err == ENOBUFS || err == ENOMEM) {
    stats.txDropped += 1;
  } else {
    stats.txFailed += 1;
  }
}

ssize_t writeOnce(int fd, const iovec* iov, int pieces) {
  for (int i = 0; i < 8; i++) {
    const ssize_t n = ::writev(fd, iov, pieces);
    if (n >= 0 || errno != EINTR) return n;
  }
  return -1;
}
/** Packets read or written one by one before the ring is worth its own call. */
constexpr int SINGLES = 3;
/** Reads of one run of the ring: at most so many of them find nothing. */
constexpr int RUN_READS = 32;

/** The region is full; 0 is a place, at the start of the slab without a virtio-net header. */
constexpr size_t NO_PLACE = SIZE_MAX;

/** Where the packet behind `cursor` goes; NO_PLACE when the region is full. */
size_t placeFor(const Framing& framing, const RxRegion& region, size_t cursor) {
  // Behind an Ethernet header of 14 octets the IP header is aligned to 16.
  const size_t lead = framing.tap ? 2 : 0;
  const size_t off = aligned(cursor + static_cast<size_t>(framing.headerSize)) + lead;
  return off + MAX_PACKET > region.base + region.size ? NO_PLACE : off;
}

/** Notes one packet of `n` octets at `off`; answers where it ends. */
size_t accept(const Framing& framing, const RxRegion& region, const RxTable& table, size_t off,
              ssize_t n, RxResult& result, Stats& stats) {
  int32_t* row = table.rows + result.count * RX_STRIDE;
  fillRow(framing, region.slab.data, off, n, row);
  if ((row[RX_FLAGS] & RX_BAD_META) != 0) stats.rxBadMeta += 1;
  stats.rxOctets += row[RX_LEN];
  result.count++;
  return off + static_cast<size_t>(row[RX_LEN]);
}

/** False: nothing more comes now. */
bool judgeError(int err, RxResult& result) {
  if (err == EAGAIN || err == EINTR) {
    result.drained = true;
  } else {
    result.err = err;
  }
  return false;
}

bool readSingle(const Framing& framing, const RxRegion& region, const RxTable& table,
                size_t& cursor, RxResult& result, Stats& stats) {
  const size_t off = placeFor(framing, region, cursor);
  if (off == NO_PLACE) return false;
  const size_t header = static_cast<size_t>(framing.headerSize);
  const ssize_t n = readOnce(framing.fd, region.slab.data + off - header, header + MAX_PACKET);
  if (n < 0) return judgeError(errno, result);
  cursor = accept(framing, region, table, off, n, result, stats);
  return true;
}

/** Several reads at once, each into room for the largest packet: lengths are not known yet. */
bool readRun(const Framing& framing, const RxRegion& region, const RxTable& table, Uring& ring,
             size_t& cursor, RxResult& result, Stats& stats) {
  size_t places[RUN_READS];
  int32_t results[RUN_READS];
  const size_t header = static_cast<size_t>(framing.headerSize);
  int count = 0;
  for (size_t from = cursor; count < RUN_READS && result.count + count < table.capacity; count++) {
    const size_t off = placeFor(framing, region, from);
    if (off == NO_PLACE) break;
    places[count] = off;
    ring.read(framing.fd, region.slab.data + off - header, header + MAX_PACKET);
    from = off + MAX_PACKET;
  }
  if (count == 0) return false;
  ring.run(results);
  bool more = true;
  for (int i = 0; i < count; i++) {
    if (results[i] == Uring::NOT_DONE) continue;
    if (results[i] < 0) {
      more = judgeError(-results[i], result);
      continue;
    }
    cursor = accept(framing, region, table, places[i], results[i], result, stats);
    stats.rxRinged += 1;
  }
  return more;
}

/** One row made ready to be written: the virtio-net header and what follows it. */
struct Outgoing {
  uint8_t header[MOST_HEADER];
  iovec iov[2 + MAX_PIECES];
  int pieces;
  size_t total;
};

bool prepare(const Framing& framing, const TxBatch& batch, const int32_t* row, Outgoing& out) {
  const bool framed = framing.headerSize > 0;
  std::memset(out.header, 0, static_cast<size_t>(framing.headerSize));
  iovec* iov = framed ? out.iov + 1 : out.iov;
  out.total = gather(batch, row, iov, out.pieces);
  if (out.total == 0) return false;
  if (!framed) return true;
  const uint8_t* packet = batch.slab.data + row[TX_HEADER_OFF];
  if (!writeHeader(row, packet, out.total, out.header)) return false;
  out.iov[0] = {out.header, static_cast<size_t>(framing.headerSize)};
  out.pieces++;
  return true;
}

/** Counts one attempt: 1 when the kernel took the packet. */
int settle(const Outgoing& out, ssize_t n, int err, Stats& stats) {
  if (n < 0) {
    countFailure(err, stats);
    return 0;
  }
  stats.txOctets += static_cast<double>(out.total);
  return 1;
}

int writeSingle(const Framing& framing, const Outgoing& out, Stats& stats) {
  const ssize_t n = writeOnce(framing.fd, out.iov, out.pieces);
  return settle(out, n, errno, stats);
}

/** Writes the packets that were added to the ring, in order. */
int writeRun(const Framing& framing, const Outgoing* out, int count, Uring& ring, Stats& stats) {
  int32_t results[Uring::ENTRIES];
  ring.run(results);
  int written = 0;
  for (int i = 0; i < count; i++) {
    if (results[i] == Uring::NOT_DONE) {
      written += writeSingle(framing, out[i], stats);
      continue;
    }
    const int taken = settle(out[i], results[i], -results[i], stats);
    written += taken;
    stats.txRinged += taken;
  }
  return written;
}
}  // namespace

RxResult readBatch(const Framing& framing, const RxRegion& region, const RxTable& table,
                   Uring& ring, Stats& stats) {
  RxResult result;
  size_t cursor = region.base;
  bool more = true;
  while (more && result.count < table.capacity) {
    more = result.count >= SINGLES && ring.ready()
               ? readRun(framing, region, table, ring, cursor, result, stats)
               : readSingle(framing, region, table, cursor, result, stats);
  }
  stats.rxPackets += result.count;
  if (result.count > 0) stats.rxBatches += 1;
  return result;
}

int writeBatch(const Framing& framing, const TxBatch& batch, Uring& ring, Stats& stats) {
  static thread_local Outgoing out[Uring::ENTRIES];
  int written = 0;
  int added = 0;
  for (int i = 0; i < batch.count; i++) {
    const bool ringed = batch.count > SINGLES && ring.ready();
    if (!prepare(framing, batch, batch.rows + i * TX_STRIDE, out[added])) {
      stats.txInvalid += 1;
    } else if (ringed) {
      ring.write(framing.fd, out[added].iov, out[added].pieces);
      added++;
    } else {
      written += writeSingle(framing, out[added], stats);
    }
    if (added == Uring::ENTRIES || (added > 0 && i == batch.count - 1)) {
      written += writeRun(framing, out, added, ring, stats);
      added = 0;
    }
  }
  stats.txPackets += written;
  return written;
}

double monotonicUs() {
  timespec t = {};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

}  // namespace portside
