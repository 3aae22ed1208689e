// tun(4) ioctls. Attaching overwrites a device's flags (IFF_VNET_HDR, IFF_NO_PI) for all later
// users, so an existing device is looked at before, through rtnetlink, and put back at the end.
#include "tuntap.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>

#include "features.h"
#include "netns.h"
#include "packet_socket.h"

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

namespace portside {

namespace {
constexpr const char* TUN_PATH = "/dev/net/tun";
/** sizeof(struct virtio_net_hdr), the kernel's default. */
constexpr int VNET_HDR = 10;
constexpr int MOST_VNET_HDR = 64;

constexpr unsigned TSO = TUN_F_TSO4 | TUN_F_TSO6;
constexpr unsigned USO = TUN_OFFLOAD_USO4 | TUN_OFFLOAD_USO6;
/** From all to nothing: an old kernel refuses the whole set for one bit it does not know. */
constexpr unsigned STEPS[] = {
    TUN_F_CSUM | TSO | TUN_F_TSO_ECN | USO,
    TUN_F_CSUM | TSO | TUN_F_TSO_ECN,
    TUN_F_CSUM | TSO,
    TUN_F_CSUM | TUN_F_TSO4,
    TUN_F_CSUM,
    0,
};

/**
 * Every open device of the process. process.exit() on the main thread runs no cleanup hook of the
 * environment, only exit handlers: these put back what would outlive the process.
 */
struct OpenDevices {
  std::mutex lock;
  std::set<Tuntap*> all;
};

OpenDevices& openDevices() {
  static OpenDevices* devices = new OpenDevices();
  return *devices;
}

void closeAll() {
  OpenDevices& devices = openDevices();
  if (!devices.lock.try_lock()) return;
  const std::set<Tuntap*> all = devices.all;
  devices.lock.unlock();
  for (Tuntap* device : all) device->close();
}

void remember(Tuntap* device) {
  static const int registered = std::atexit(closeAll);
  (void)registered;
  std::lock_guard<std::mutex> guard(openDevices().lock);
  openDevices().all.insert(device);
}

void forget(Tuntap* device) {
  std::lock_guard<std::mutex> guard(openDevices().lock);
  openDevices().all.erase(device);
}

Fd openTun() { return Fd(::open(TUN_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK)); }

ifreq named(const std::string& name, int flags) {
  ifreq ifr = {};
  std::strncpy(ifr.ifr_name, name.c_str(), IFNAMSIZ - 1);
  ifr.ifr_flags = static_cast<short>(flags);
  return ifr;
}

int flagsOf(const LinkInfo& link) {
  return link.tunType | (link.packetInfo ? 0 : IFF_NO_PI) | (link.vnetHdr ? IFF_VNET_HDR : 0) |
         (link.multiQueue ? IFF_MULTI_QUEUE : 0);
}
}  // namespace

Failure Tuntap::openDescriptors(bool needTun) {
  if (needTun && packet_) {
    const Failure f = openPacketSocket(fd_);
    if (f) return f;
  } else if (needTun) {
    fd_ = openTun();
    if (!fd_.valid()) return fail(errno, "open", TUN_PATH);
    spare_ = openTun();
  }
  control_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return netlink_.open();
}

Failure Tuntap::open(const OpenOptions& options) {
  remember(this);
  if (options.fd >= 0) {
    Failure f = adopt(options.fd);
    if (f) close();
    return f;
  }
  packet_ = options.packet;
  Failure f = openInNamespace(options);
  if (!f) f = packet_ ? attachPacket(options) : attach(options);
  if (f) close();
  return f;
}

Failure Tuntap::openInNamespace(const OpenOptions& options) {
  if (options.netns.empty()) return openDescriptors(true);
  if (!validNamespaceName(options.netns)) {
    return fail(EINVAL, "setns", "not a name for a namespace");
  }
  Failure f = inNamespace(options.netns, madeNetns_, [this] { return openDescriptors(true); });
  if (!f) netns_ = options.netns;
  return f;
}

/** What is there under that name, and whether it can be ours. */
Failure Tuntap::lookBefore(const OpenOptions& options) {
  if (options.name.empty() || options.name.find('%') != std::string::npos) return ok();
  const Failure f = netlink_.linkByName(options.name, before_);
  if (f) return f.err == ENODEV ? ok() : f;
  existed_ = true;
  offloadsBefore_ = currentOffloads(control_.get(), options.name);
  const int wanted = options.tap ? IFF_TAP : IFF_TUN;
  if (before_.kind != "tun") {
    return fail(EINVAL, "TUNSETIFF", "exists and is no TUN or TAP device");
  }
  if (before_.tunType != 0 && before_.tunType != wanted) {
    return fail(EINVAL, "TUNSETIFF", options.tap ? "exists and is a TUN" : "exists and is a TAP");
  }
  if (before_.tunType != 0 && before_.multiQueue != options.multiQueue) {
    return fail(EINVAL, "TUNSETIFF",
                before_.multiQueue ? "exists with multi_queue" : "exists without multi_queue");
  }
  return ok();
}

Failure Tuntap::attachOnce(const OpenOptions& options, bool vnetHdr) {
  const int flags = (options.tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI | (vnetHdr ? IFF_VNET_HDR : 0) |
                    (options.multiQueue ? IFF_MULTI_QUEUE : 0);
  ifreq ifr = named(options.name, flags);
  if (::ioctl(fd_.get(), TUNSETIFF, &ifr) != 0) return fail(errno, "TUNSETIFF");
  attached_ = true;
  name_ = ifr.ifr_name;
  headerSize_ = vnetHdr ? VNET_HDR : 0;
  return ok();
}

Failure Tuntap::attach(const OpenOptions& options) {
  Failure f = lookBefore(options);
  if (f) return f;
  tap_ = options.tap;
  f = attachOnce(options, options.vnetHdr);
  // EINVAL for the flags: a kernel (or an emulation of one) without virtio-net headers.
  if (f && f.err == EINVAL && options.vnetHdr && !existed_) f = attachOnce(options, false);
  if (f) return f;
  if (existed_) ::ioctl(fd_.get(), TUNGETVNETHDRSZ, &headerSizeBefore_);
  LinkInfo now;
  f = netlink_.linkByName(name_, now);
  if (f) return f;
  index_ = now.index;
  if (headerSize_ > 0) {
    int size = VNET_HDR;
    if (::ioctl(fd_.get(), TUNSETVNETHDRSZ, &size) != 0) return fail(errno, "TUNSETVNETHDRSZ");
  }
  negotiate(headerSize_ > 0 ? options.offloads : 0);
  return ok();
}

void Tuntap::negotiate(unsigned wanted) {
  for (const unsigned step : STEPS) {
    const unsigned bits = step & wanted;
    if (::ioctl(fd_.get(), TUNSETOFFLOAD, static_cast<unsigned long>(bits)) == 0) {
      offloads_ = bits;
      return;
    }
  }
  offloads_ = 0;
}

/** The program's own descriptor, duplicated: closing the device leaves the program's open. */
Failure Tuntap::adopt(int fd) {
  fd_.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!fd_.valid()) return fail(errno, "fcntl", "descriptor " + std::to_string(fd));
  ifreq ifr = {};
  if (::ioctl(fd_.get(), TUNGETIFF, &ifr) != 0) {
    return fail(errno == ENOTTY ? EINVAL : errno, "TUNGETIFF",
                "descriptor " + std::to_string(fd) + " is no attached TUN or TAP device");
  }
  const int flags = static_cast<unsigned short>(ifr.ifr_flags);
  if ((flags & IFF_NO_PI) == 0) {
    return fail(EINVAL, "TUNGETIFF", "the descriptor frames packets with packet information (pi)");
  }
  name_ = ifr.ifr_name;
  tap_ = (flags & IFF_TAP) != 0;
  if ((flags & IFF_VNET_HDR) != 0) {
    if (::ioctl(fd_.get(), TUNGETVNETHDRSZ, &headerSize_) != 0) headerSize_ = VNET_HDR;
    if (headerSize_ < VNET_HDR || headerSize_ > MOST_VNET_HDR) {
      return fail(EINVAL, "TUNGETVNETHDRSZ", std::to_string(headerSize_) + " octets");
    }
  }
  // Asking for the device's namespace wants CAP_NET_ADMIN in it. Without, ours is tried: packets
  // move either way, only configuring may be impossible.
  Fd ns(::ioctl(fd_.get(), TUNGETDEVNETNS));
  const auto descriptors = [this] { return openDescriptors(false); };
  if (!ns.valid() || inNamespaceOf(ns.get(), descriptors)) openDescriptors(false);
  attached_ = existed_ = adopted_ = true;
  if (netlink_.linkByName(name_, before_) || before_.kind != "tun") {
    netlink_.close();
    before_ = LinkInfo();
  }
  index_ = before_.index;
  offloadsBefore_ = currentOffloads(control_.get(), name_);
  negotiate(headerSize_ > 0 ? ~0U : 0);
  return ok();
}

/** An interface that is there already, and stays. */
Failure Tuntap::attachPacket(const OpenOptions& options) {
  Failure f = netlink_.linkByName(options.name, before_);
  if (f) return f;
  if (!before_.hasMac) return fail(EINVAL, "bind", "is no Ethernet interface");
  attached_ = existed_ = tap_ = true;
  name_ = options.name;
  index_ = before_.index;
  mac_ = formatMac(before_.mac);
  uint8_t mac[6];
  PacketOptions wish;
  wish.index = index_;
  wish.vnetHdr = options.vnetHdr;
  wish.promiscuous = options.promiscuous;
  if (!options.mac.empty()) {
    if (!parseMac(options.mac, mac)) return fail(EINVAL, "PACKET_ADD_MEMBERSHIP", options.mac);
    if (options.mac != mac_) wish.mac = mac;
  }
  f = bindPacketSocket(fd_.get(), wish, headerSize_);
  if (f) return f;
  offloads_ = headerSize_ > 0 ? options.offloads & (TUN_F_CSUM | TSO | TUN_F_TSO_ECN) : 0;
  return ok();
}

bool Tuntap::present() {
  LinkInfo now;
  return !link(now);
}

Failure Tuntap::link(LinkInfo& out) { return netlink_.linkByIndex(index_, out); }
Failure Tuntap::setUp(bool up) { return netlink_.setUp(index_, up); }
Failure Tuntap::setMtu(uint32_t mtu) { return netlink_.setMtu(index_, mtu); }
Failure Tuntap::setTxQueueLen(uint32_t packets) { return netlink_.setTxQueueLen(index_, packets); }

Failure Tuntap::addAddress(const AddressSpec& spec) {
  const Failure f = netlink_.address(true, index_, spec);
  if (!f) addresses_.push_back(spec);
  return f.err == EEXIST ? ok() : f;
}

Failure Tuntap::addRoute(const RouteSpec& spec) {
  const Failure f = netlink_.route(true, index_, spec);
  if (!f) routes_.push_back(spec);
  return f.err == EEXIST ? ok() : f;
}

namespace {
bool equal(const InetAddress& a, const InetAddress& b) {
  return a.family == b.family && std::memcmp(a.octets, b.octets, a.len) == 0;
}
}  // namespace

Failure Tuntap::removeAddress(const AddressSpec& spec) {
  const Failure f = netlink_.address(false, index_, spec);
  for (size_t i = 0; i < addresses_.size(); i++) {
    if (!equal(addresses_[i].local, spec.local) || addresses_[i].prefix != spec.prefix) continue;
    addresses_.erase(addresses_.begin() + static_cast<long>(i));
    break;
  }
  return f;
}

Failure Tuntap::removeRoute(const RouteSpec& spec) {
  const Failure f = netlink_.route(false, index_, spec);
  for (size_t i = 0; i < routes_.size(); i++) {
    if (!equal(routes_[i].dst, spec.dst) || routes_[i].prefix != spec.prefix ||
        routes_[i].metric != spec.metric) {
      continue;
    }
    routes_.erase(routes_.begin() + static_cast<long>(i));
    break;
  }
  return f;
}

/** Best effort, newest first: a device that is gone by now needs nothing. */
void Tuntap::putBack() {
  if (netlink_.valid()) {
    while (!routes_.empty()) removeRoute(RouteSpec(routes_.back()));
    while (!addresses_.empty()) removeAddress(AddressSpec(addresses_.back()));
    LinkInfo now;
    if (!link(now)) {
      if (now.mtu != before_.mtu) setMtu(before_.mtu);
      if (now.txQueueLen != before_.txQueueLen) setTxQueueLen(before_.txQueueLen);
      if (((now.flags ^ before_.flags) & IFF_UP) != 0) setUp((before_.flags & IFF_UP) != 0);
    }
  }
  if (packet_) return;
  ::ioctl(fd_.get(), TUNSETOFFLOAD, static_cast<unsigned long>(offloadsBefore_));
  if (!adopted_ && headerSizeBefore_ > 0) {
    ::ioctl(fd_.get(), TUNSETVNETHDRSZ, &headerSizeBefore_);
  }
}

void Tuntap::close() {
  forget(this);
  const bool restore = attached_ && existed_;
  if (fd_.valid() && restore) putBack();
  fd_.reset();
  if (restore && !adopted_ && before_.persist && spare_.valid()) {
    // Only attaching writes the flags, so attach once more with the old ones.
    ifreq ifr = named(name_, flagsOf(before_));
    ::ioctl(spare_.get(), TUNSETIFF, &ifr);
  }
  spare_.reset();
  control_.reset();
  netlink_.close();
  attached_ = false;
  if (madeNetns_) {
    madeNetns_ = false;
    leaveNamespace(netns_);
  }
}

}  // namespace portside
