// rtnetlink requests with their acknowledgements; extended acknowledgements give the kernel's own
// words for a refusal (NETLINK_EXT_ACK).
#include "netlink.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

#ifndef NETLINK_EXT_ACK
#define NETLINK_EXT_ACK 11
#endif
#ifndef NLM_F_ACK_TLVS
#define NLM_F_ACK_TLVS 0x200
#endif
#ifndef NLM_F_CAPPED
#define NLM_F_CAPPED 0x100
#endif
#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

namespace portside {

namespace {
/** ARPHRD_ETHER; linux/if_arp.h does not go together with net/if.h. */
constexpr int ETHERNET = 1;

// IFLA_TUN_* came with Linux 4.17; named here so that older headers serve.
enum { TUN_TYPE = 3, TUN_PI = 4, TUN_VNET_HDR = 5, TUN_PERSIST = 6, TUN_MULTI_QUEUE = 7 };
constexpr int ATTR_MSG = 1;  // NLMSGERR_ATTR_MSG
constexpr int MAX_ANSWERS = 64;

const rtattr* find(const void* first, size_t len, int type) {
  const rtattr* a = static_cast<const rtattr*>(first);
  int left = static_cast<int>(len);
  while (RTA_OK(a, left)) {
    if ((a->rta_type & NLA_TYPE_MASK) == type) return a;
    a = RTA_NEXT(a, left);
  }
  return nullptr;
}

uint32_t u32(const rtattr* a) {
  uint32_t v = 0;
  if (a != nullptr && RTA_PAYLOAD(a) >= sizeof v) std::memcpy(&v, RTA_DATA(a), sizeof v);
  return v;
}

uint8_t u8(const rtattr* a) {
  return a != nullptr && RTA_PAYLOAD(a) >= 1 ? *static_cast<const uint8_t*>(RTA_DATA(a)) : 0;
}

std::string text(const rtattr* a) {
  if (a == nullptr) return {};
  const char* s = static_cast<const char*>(RTA_DATA(a));
  return std::string(s, strnlen(s, RTA_PAYLOAD(a)));
}

void readTun(const rtattr* info, LinkInfo& out) {
  out.kind = text(find(RTA_DATA(info), RTA_PAYLOAD(info), IFLA_INFO_KIND));
  if (out.kind != "tun") return;
  const rtattr* data = find(RTA_DATA(info), RTA_PAYLOAD(info), IFLA_INFO_DATA);
  if (data == nullptr) return;
  const void* first = RTA_DATA(data);
  const size_t len = RTA_PAYLOAD(data);
  out.tunType = u8(find(first, len, TUN_TYPE));
  out.packetInfo = u8(find(first, len, TUN_PI)) != 0;
  out.vnetHdr = u8(find(first, len, TUN_VNET_HDR)) != 0;
  out.persist = u8(find(first, len, TUN_PERSIST)) != 0;
  out.multiQueue = u8(find(first, len, TUN_MULTI_QUEUE)) != 0;
}

void readLink(const nlmsghdr* h, LinkInfo& out) {
  const ifinfomsg* info = static_cast<const ifinfomsg*>(NLMSG_DATA(h));
  const void* first = IFLA_RTA(info);
  const size_t len = IFLA_PAYLOAD(h);
  out.index = info->ifi_index;
  out.flags = info->ifi_flags;
  out.name = text(find(first, len, IFLA_IFNAME));
  out.mtu = u32(find(first, len, IFLA_MTU));
  out.txQueueLen = u32(find(first, len, IFLA_TXQLEN));
  const rtattr* mac = find(first, len, IFLA_ADDRESS);
  // Of the links with six octets only an Ethernet has frames as we write them.
  out.hasMac = mac != nullptr && info->ifi_type == ETHERNET &&
               RTA_PAYLOAD(mac) == sizeof out.mac;
  if (out.hasMac) std::memcpy(out.mac, RTA_DATA(mac), sizeof out.mac);
  const rtattr* linkInfo = find(first, len, IFLA_LINKINFO);
  if (linkInfo != nullptr) readTun(linkInfo, out);
}

Failure readError(const nlmsghdr* h, const char* what) {
  const nlmsgerr* e = static_cast<const nlmsgerr*>(NLMSG_DATA(h));
  if (e->error == 0) return ok();
  std::string words;
  if ((h->nlmsg_flags & NLM_F_ACK_TLVS) != 0) {
    // The refused request stands before the attributes unless the kernel has cut it off.
    size_t skip = sizeof(nlmsgerr);
    if ((h->nlmsg_flags & NLM_F_CAPPED) == 0 && e->msg.nlmsg_len > NLMSG_HDRLEN) {
      skip += NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN;
    }
    const size_t len = h->nlmsg_len - NLMSG_HDRLEN;
    if (skip < len) {
      words = text(find(reinterpret_cast<const char*>(e) + skip, len - skip, ATTR_MSG));
    }
  }
  return fail(-e->error, what, words);
}
}  // namespace

/** One request under construction; the largest of ours has about 150 octets. */
class Message {
 public:
  Message(int type, int flags) {
    std::memset(bytes_, 0, sizeof bytes_);
    header()->nlmsg_len = NLMSG_HDRLEN;
    header()->nlmsg_type = static_cast<uint16_t>(type);
    header()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  }

  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_); }

  template <typename T>
  T* body() {
    header()->nlmsg_len = NLMSG_LENGTH(sizeof(T));
    return static_cast<T*>(NLMSG_DATA(header()));
  }

  void attr(int type, const void* data, size_t len) {
    const size_t at = NLMSG_ALIGN(header()->nlmsg_len);
    if (at + RTA_SPACE(len) > sizeof bytes_) return;
    rtattr* a = reinterpret_cast<rtattr*>(bytes_ + at);
    a->rta_type = static_cast<uint16_t>(type);
    a->rta_len = static_cast<uint16_t>(RTA_LENGTH(len));
    std::memcpy(RTA_DATA(a), data, len);
    header()->nlmsg_len = static_cast<uint32_t>(at + RTA_SPACE(len));
  }

  void attr(int type, uint32_t v) { attr(type, &v, sizeof v); }
  void attr(int type, const InetAddress& a) { attr(type, a.octets, a.len); }

 private:
  alignas(nlmsghdr) char bytes_[512];
};

bool parseAddress(const std::string& text, InetAddress& out) {
  if (inet_pton(AF_INET, text.c_str(), out.octets) == 1) {
    out.family = AF_INET;
    out.len = 4;
    return true;
  }
  if (inet_pton(AF_INET6, text.c_str(), out.octets) == 1) {
    out.family = AF_INET6;
    out.len = 16;
    return true;
  }
  return false;
}

Failure Netlink::open() {
  fd_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd_.valid()) return fail(errno, "socket", "AF_NETLINK");
  const int on = 1;
  ::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  const timeval patience = {2, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_nl self = {};
  self.nl_family = AF_NETLINK;
  if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&self), sizeof self) != 0) {
    return fail(errno, "bind", "AF_NETLINK");
  }
  return ok();
}

Failure Netlink::request(Message& message, const char* what, LinkInfo* out) {
  if (!fd_.valid()) return fail(EBADF, what, "the device's namespace is not ours to configure");
  nlmsghdr* h = message.header();
  h->nlmsg_seq = ++seq_;
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  ssize_t n = -1;
  for (int i = 0; i < 8 && n < 0; i++) {
    n = ::sendto(fd_.get(), h, h->nlmsg_len, 0, reinterpret_cast<sockaddr*>(&kernel),
                 sizeof kernel);
    if (n < 0 && errno != EINTR) return fail(errno, what);
  }
  return n < 0 ? fail(EINTR, what) : answer(h->nlmsg_seq, what, out);
}

Failure Netlink::answer(uint32_t seq, const char* what, LinkInfo* out) {
  alignas(nlmsghdr) char buffer[32768];
  for (int i = 0; i < MAX_ANSWERS; i++) {
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail(errno == EAGAIN ? ETIMEDOUT : errno, what);
    }
    int left = static_cast<int>(n);
    for (nlmsghdr* h = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(h, left);
         h = NLMSG_NEXT(h, left)) {
      if (h->nlmsg_seq != seq) continue;  // left over from a request that had timed out
      if (h->nlmsg_type == NLMSG_ERROR) return readError(h, what);
      if (h->nlmsg_type == RTM_NEWLINK && out != nullptr) {
        readLink(h, *out);
        return ok();
      }
    }
  }
  return fail(ETIMEDOUT, what);
}

Failure Netlink::linkByName(const std::string& name, LinkInfo& out) {
  Message m(RTM_GETLINK, 0);
  m.body<ifinfomsg>()->ifi_family = AF_UNSPEC;
  m.attr(IFLA_IFNAME, name.c_str(), name.size() + 1);
  return request(m, "RTM_GETLINK", &out);
}

Failure Netlink::linkByIndex(int index, LinkInfo& out) {
  Message m(RTM_GETLINK, 0);
  m.body<ifinfomsg>()->ifi_index = index;
  return request(m, "RTM_GETLINK", &out);
}

Failure Netlink::setUp(int index, bool up) {
  Message m(RTM_NEWLINK, NLM_F_ACK);
  ifinfomsg* info = m.body<ifinfomsg>();
  info->ifi_index = index;
  info->ifi_change = IFF_UP;
  info->ifi_flags = up ? IFF_UP : 0;
  return request(m, "RTM_NEWLINK", nullptr);
}

Failure Netlink::setMtu(int index, uint32_t mtu) {
  Message m(RTM_NEWLINK, NLM_F_ACK);
  m.body<ifinfomsg>()->ifi_index = index;
  m.attr(IFLA_MTU, mtu);
  return request(m, "RTM_NEWLINK", nullptr);
}

Failure Netlink::setTxQueueLen(int index, uint32_t packets) {
  Message m(RTM_NEWLINK, NLM_F_ACK);
  m.body<ifinfomsg>()->ifi_index = index;
  m.attr(IFLA_TXQLEN, packets);
  return request(m, "RTM_NEWLINK", nullptr);
}

Failure Netlink::address(bool add, int index, const AddressSpec& spec) {
  Message m(add ? RTM_NEWADDR : RTM_DELADDR, NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
  ifaddrmsg* a = m.body<ifaddrmsg>();
  a->ifa_family = static_cast<uint8_t>(spec.local.family);
  a->ifa_prefixlen = static_cast<uint8_t>(spec.prefix);
  a->ifa_index = static_cast<uint32_t>(index);
  // Nobody else can hold an address on the far side of this device: duplicate address detection
  // (RFC 4862 §5.4) would only keep it from use for a second.
  if (spec.local.family == AF_INET6) a->ifa_flags = IFA_F_NODAD;
  m.attr(IFA_LOCAL, spec.local);
  m.attr(IFA_ADDRESS, spec.peer.family != 0 ? spec.peer : spec.local);
  return request(m, add ? "RTM_NEWADDR" : "RTM_DELADDR", nullptr);
}

Failure Netlink::route(bool add, int index, const RouteSpec& spec) {
  Message m(add ? RTM_NEWROUTE : RTM_DELROUTE, NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
  rtmsg* r = m.body<rtmsg>();
  const bool direct = spec.gateway.family == 0 && spec.dst.family == AF_INET;
  r->rtm_family = static_cast<uint8_t>(spec.dst.family);
  r->rtm_dst_len = static_cast<uint8_t>(spec.prefix);
  r->rtm_table = RT_TABLE_MAIN;
  r->rtm_protocol = RTPROT_STATIC;
  r->rtm_scope = direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  r->rtm_type = RTN_UNICAST;
  if (spec.prefix > 0) m.attr(RTA_DST, spec.dst);
  if (spec.gateway.family != 0) m.attr(RTA_GATEWAY, spec.gateway);
  if (spec.src.family != 0) m.attr(RTA_PREFSRC, spec.src);
  if (spec.metric != 0) m.attr(RTA_PRIORITY, spec.metric);
  m.attr(RTA_OIF, static_cast<uint32_t>(index));
  return request(m, add ? "RTM_NEWROUTE" : "RTM_DELROUTE", nullptr);
}

}  // namespace portside
