// Packets between a descriptor and memory, in batches. Knows the virtio-net header (virtio 1.2
// §5.1.6) and nothing of N-API.
#pragma once

#include <cstddef>
#include <cstdint>

#include "uring.h"

namespace portside {

/** Columns of a row of the receive table (Int32Array), one row per packet. */
enum RxColumn {
  RX_OFF,
  RX_LEN,
  RX_FLAGS,
  RX_GSO_TYPE,
  RX_GSO_SIZE,
  RX_CSUM_START,
  RX_CSUM_OFFSET,
  RX_HDR_LEN,
  RX_STRIDE
};

/** Bits of RX_FLAGS, as RxFlag of src/base/rx.ts. */
constexpr int32_t RX_NEEDS_CSUM = 1;
constexpr int32_t RX_DATA_VALID = 2;
constexpr int32_t RX_BAD_META = 32;

/** Columns of a row of the transmit table; behind them (buffer, offset, length) of each piece. */
enum TxColumn {
  TX_HEADER_OFF,
  TX_HEADER_LEN,
  TX_FLAGS,
  TX_GSO_TYPE,
  TX_GSO_SIZE,
  TX_CSUM_START,
  TX_CSUM_OFFSET,
  TX_PIECES,
  TX_FIRST_PIECE
};
constexpr int MAX_PIECES = 16;
constexpr int TX_STRIDE = TX_FIRST_PIECE + 3 * MAX_PIECES;

/** Bit of TX_FLAGS, as TxFlag of src/base/tx.ts. */
constexpr int32_t TX_NEEDS_CSUM = 1;

/** Largest IP packet, an Ethernet header with a VLAN tag, and slack to see that one was longer. */
constexpr size_t MAX_PACKET = 65535 + 18 + 47;
/** Room that one read wants: header, packet, and the alignment before it. */
constexpr size_t RX_ROOM = MAX_PACKET + 192;

struct Stats {
  double rxPackets = 0;
  double rxOctets = 0;
  double rxBatches = 0;
  /** Reads that failed without the device being lost (EIO: the link was down). */
  double rxErrors = 0;
  double rxBadMeta = 0;
  double txPackets = 0;
  double txOctets = 0;
  /** The kernel had no room (EAGAIN, ENOBUFS, ENOMEM). */
  double txDropped = 0;
  /** Refused for another reason (EIO: link down, EINVAL, …); the last errno beside it. */
  double txFailed = 0;
  /** Rows that pointed outside of their memory. */
  double txInvalid = 0;
  double lastTxErrno = 0;
  /** Packets that came and went several to a system call. */
  double rxRinged = 0;
  /** Packets that were asked for before the loop slept (busy-poll.h). */
  double rxPolled = 0;
  double txRinged = 0;
};

struct Span {
  uint8_t* data = nullptr;
  size_t len = 0;
};

struct Framing {
  int fd = -1;
  int headerSize = 0;
  bool tap = false;
};

struct RxRegion {
  Span slab;
  size_t base = 0;
  size_t size = 0;
};

struct RxTable {
  int32_t* rows = nullptr;
  int capacity = 0;
};

struct RxResult {
  int count = 0;
  /** Nothing more to read at present. */
  bool drained = false;
  /** errno of a read that failed for another reason than EAGAIN. */
  int err = 0;
};

/** Reads packets one behind the other from the start of the region until EAGAIN or no more room. */
RxResult readBatch(const Framing& framing, const RxRegion& region, const RxTable& table,
                   Uring& ring, Stats& stats);

struct TxBatch {
  const int32_t* rows = nullptr;
  int count = 0;
  Span slab;
  const Span* buffers = nullptr;
  size_t bufferCount = 0;
};

/** One write a packet. How many the kernel took; the others are counted in `stats`. */
int writeBatch(const Framing& framing, const TxBatch& batch, Uring& ring, Stats& stats);

/** CLOCK_MONOTONIC in µs, the clock of process.hrtime. */
double monotonicUs();

}  // namespace portside
