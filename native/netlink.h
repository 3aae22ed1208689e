// rtnetlink (rtnetlink(7)): links, addresses and routes of the namespace the socket was opened in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "failure.h"
#include "fd.h"

namespace portside {

struct LinkInfo {
  int index = 0;
  unsigned flags = 0;
  uint32_t mtu = 0;
  uint32_t txQueueLen = 0;
  std::string name;
  /** "tun", "veth", … ; empty when the kernel names none. */
  std::string kind;
  /** IFF_TUN or IFF_TAP; 0 when the link is neither. */
  int tunType = 0;
  bool packetInfo = false;
  bool vnetHdr = false;
  bool persist = false;
  bool multiQueue = false;
  /** Link-layer address, where it has one of six octets. */
  bool hasMac = false;
  uint8_t mac[6] = {};
};

/** An address or prefix in text was read into this. */
struct InetAddress {
  int family = 0;
  size_t len = 0;
  uint8_t octets[16] = {};
};

struct AddressSpec {
  InetAddress local;
  InetAddress peer;  // family 0: none
  int prefix = 0;
};

struct RouteSpec {
  InetAddress dst;
  int prefix = 0;
  InetAddress gateway;  // family 0: none
  InetAddress src;      // family 0: none
  uint32_t metric = 0;  // 0: the kernel's default
};

/** Reads "10.0.0.1" or "fd00::1"; false when it is neither. */
bool parseAddress(const std::string& text, InetAddress& out);

class Message;

class Netlink {
 public:
  Failure open();
  bool valid() const { return fd_.valid(); }
  void close() { fd_.reset(); }

  Failure linkByName(const std::string& name, LinkInfo& out);
  Failure linkByIndex(int index, LinkInfo& out);
  Failure setUp(int index, bool up);
  Failure setMtu(int index, uint32_t mtu);
  Failure setTxQueueLen(int index, uint32_t packets);
  /** EEXIST on adding and EADDRNOTAVAIL on removing come back as failures; the caller judges. */
  Failure address(bool add, int index, const AddressSpec& spec);
  Failure route(bool add, int index, const RouteSpec& spec);

 private:
  Failure request(Message& message, const char* what, LinkInfo* out);
  Failure answer(uint32_t seq, const char* what, LinkInfo* out);

  Fd fd_;
  uint32_t seq_ = 1;
};

}  // namespace portside
