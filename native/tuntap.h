// A TUN or TAP device: opening with the best offloads the kernel grants, what it looked like
// before, and putting it back.
#pragma once

#include <string>
#include <vector>

#include "failure.h"
#include "fd.h"
#include "netlink.h"

namespace portside {

struct OpenOptions {
  std::string name;
  std::string netns;
  bool tap = false;
  bool vnetHdr = true;
  bool multiQueue = false;
  /** TUN_F_* bits that are wanted. */
  unsigned offloads = ~0U;
  /** An existing Ethernet interface by AF_PACKET instead of a TUN or TAP. */
  bool packet = false;
  bool promiscuous = false;
  /** Link-layer address to listen to besides the interface's own; empty: none. */
  std::string mac;
  /** An open TUN descriptor, or -1. */
  int fd = -1;
};

class Tuntap {
 public:
  Tuntap() = default;
  ~Tuntap() { close(); }
  Tuntap(const Tuntap&) = delete;
  Tuntap& operator=(const Tuntap&) = delete;

  Failure open(const OpenOptions& options);
  /** Puts an existing device back, removes what was added, closes everything. Idempotent. */
  void close();
  bool isOpen() const { return fd_.valid(); }

  int fd() const { return fd_.get(); }
  int index() const { return index_; }
  /** Octets before each packet; 0 without a virtio-net header. */
  int headerSize() const { return headerSize_; }
  unsigned offloads() const { return offloads_; }
  /** Whether packets have an Ethernet header. */
  bool tap() const { return tap_; }
  bool packet() const { return packet_; }
  /** The interface's own link-layer address; empty: it has none. */
  const std::string& mac() const { return mac_; }
  /** Whether there is still an interface behind the descriptor. */
  bool present();
  /** False when the device was there before. */
  bool created() const { return !existed_; }
  const std::string& name() const { return name_; }
  const std::string& netns() const { return netns_; }

  Failure link(LinkInfo& out);
  Failure setUp(bool up);
  Failure setMtu(uint32_t mtu);
  Failure setTxQueueLen(uint32_t packets);
  /** EEXIST is no failure: what was there already stays when the device is closed. */
  Failure addAddress(const AddressSpec& spec);
  Failure addRoute(const RouteSpec& spec);
  Failure removeAddress(const AddressSpec& spec);
  Failure removeRoute(const RouteSpec& spec);

 private:
  Failure openInNamespace(const OpenOptions& options);
  Failure openDescriptors(bool needTun);
  Failure attach(const OpenOptions& options);
  Failure adopt(int fd);
  Failure attachPacket(const OpenOptions& options);
  Failure lookBefore(const OpenOptions& options);
  Failure attachOnce(const OpenOptions& options, bool vnetHdr);
  void negotiate(unsigned wanted);
  void putBack();

  Fd fd_;
  /** A second /dev/net/tun of the same namespace, for the flags at the end. */
  Fd spare_;
  Fd control_;
  Netlink netlink_;
  std::string name_;
  std::string netns_;
  bool madeNetns_ = false;
  int index_ = 0;
  int headerSize_ = 0;
  unsigned offloads_ = 0;
  bool tap_ = false;
  bool packet_ = false;
  std::string mac_;
  bool attached_ = false;
  bool existed_ = false;
  bool adopted_ = false;

  LinkInfo before_;
  int headerSizeBefore_ = 0;
  unsigned offloadsBefore_ = 0;
  std::vector<AddressSpec> addresses_;
  std::vector<RouteSpec> routes_;
};

}  // namespace portside
