// What the kernel does with frames beside us is the administrator's to keep away: the interface has
// no address of the kernel's (docs/ethernet.md).
#include "packet_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

namespace portside {

namespace {
/** sizeof(struct virtio_net_hdr). */
constexpr int VNET_HDR = 10;
/** A window of frames in each direction, as a TAP's queue of 4096 packets would hold. */
constexpr int BUFFER = 8 << 20;

void widen(int fd, int forced, int asked) {
  const int size = BUFFER;
  if (::setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) == 0) return;
  ::setsockopt(fd, SOL_SOCKET, asked, &size, sizeof size);
}

/**
 * The kernel takes the tag out of a tagged frame and puts it beside, where a plain read does not
 * see it: without this such a frame would look as if it belonged to the untagged network.
 */
Failure refuseTagged(int fd) {
  const uint32_t tagged = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, tagged),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program = {sizeof code / sizeof code[0], code};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0) return ok();
  return fail(errno, "SO_ATTACH_FILTER");
}

Failure join(int fd, int index, int type, const uint8_t* mac) {
  packet_mreq wish = {};
  wish.mr_ifindex = index;
  wish.mr_type = static_cast<unsigned short>(type);
  if (mac != nullptr) {
    wish.mr_alen = ETH_ALEN;
    std::memcpy(wish.mr_address, mac, ETH_ALEN);
  }
  if (::setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wish, sizeof wish) == 0) return ok();
  return fail(errno, "PACKET_ADD_MEMBERSHIP");
}
}  // namespace

Failure openPacketSocket(Fd& out) {
  // Protocol 0: nothing comes before it is bound, neither from other interfaces.
  out.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return out.valid() ? ok() : fail(errno, "socket", "AF_PACKET");
}

Failure bindPacketSocket(int fd, const PacketOptions& options, int& headerSize) {
  const int on = 1;
  headerSize = 0;
  if (options.vnetHdr &&
      ::setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) == 0) {
    headerSize = VNET_HDR;
  }
  // Before Linux 4.20 our own frames come back; the stack drops them by their source.
  ::setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  widen(fd, SO_RCVBUFFORCE, SO_RCVBUF);
  widen(fd, SO_SNDBUFFORCE, SO_SNDBUF);
  Failure f = refuseTagged(fd);
  if (f) return f;
  // Groups are many and change: the stack looks at them itself.
  f = join(fd, options.index, PACKET_MR_ALLMULTI, nullptr);
  if (!f && options.mac != nullptr) f = join(fd, options.index, PACKET_MR_UNICAST, options.mac);
  if (!f && options.promiscuous) f = join(fd, options.index, PACKET_MR_PROMISC, nullptr);
  if (f) return f;
  sockaddr_ll at = {};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);
  at.sll_ifindex = options.index;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0) return ok();
  return fail(errno, "bind", "AF_PACKET");
}

bool parseMac(const std::string& text, uint8_t out[6]) {
  unsigned octets[6];
  int end = 0;
  const int n = std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%n", &octets[0], &octets[1],
                            &octets[2], &octets[3], &octets[4], &octets[5], &end);
  if (n != 6 || text.size() != static_cast<size_t>(end)) return false;
  for (int i = 0; i < 6; i++) out[i] = static_cast<uint8_t>(octets[i]);
  return true;
}

std::string formatMac(const uint8_t mac[6]) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                mac[4], mac[5]);
  return text;
}

}  // namespace portside
