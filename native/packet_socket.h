// AF_PACKET (packet(7)): an existing Ethernet interface (one end of a veth, a macvlan, a card) as a
// device. Frames come and go with a virtio-net header, as on a TAP.
#pragma once

#include <cstdint>
#include <string>

#include "failure.h"
#include "fd.h"

namespace portside {

struct PacketOptions {
  int index = 0;
  bool vnetHdr = true;
  /** Link-layer address that the interface shall listen to besides its own; null: none. */
  const uint8_t* mac = nullptr;
  bool promiscuous = false;
};

/** A socket that receives nothing yet, in the namespace of the calling thread. */
Failure openPacketSocket(Fd& out);

/** Begins to receive; `headerSize` is what comes before each frame. */
Failure bindPacketSocket(int fd, const PacketOptions& options, int& headerSize);

/** Reads "02:00:00:00:00:01"; false when it is none. */
bool parseMac(const std::string& text, uint8_t out[6]);
std::string formatMac(const uint8_t mac[6]);

}  // namespace portside
