// ETHTOOL_GSTRINGS and ETHTOOL_GFEATURES (linux/ethtool.h): feature names and their bits.
#include "features.h"

#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cstring>
#include <vector>

namespace portside {

namespace {
struct Known {
  const char* name;
  unsigned bits;
};
constexpr Known KNOWN[] = {
    {"tx-checksum-ip-generic", TUN_F_CSUM},
    {"tx-tcp-segmentation", TUN_F_TSO4},
    {"tx-tcp6-segmentation", TUN_F_TSO6},
    {"tx-tcp-ecn-segmentation", TUN_F_TSO_ECN},
    {"tx-udp-segmentation", TUN_OFFLOAD_USO4 | TUN_OFFLOAD_USO6},
};
constexpr unsigned MOST_FEATURES = 1024;

bool ask(int socket, const std::string& name, void* request) {
  ifreq ifr = {};
  std::strncpy(ifr.ifr_name, name.c_str(), IFNAMSIZ - 1);
  ifr.ifr_data = static_cast<char*>(request);
  return ::ioctl(socket, SIOCETHTOOL, &ifr) == 0;
}

unsigned featureCount(int socket, const std::string& name) {
  alignas(ethtool_sset_info) char memory[sizeof(ethtool_sset_info) + sizeof(uint32_t)] = {};
  auto* info = reinterpret_cast<ethtool_sset_info*>(memory);
  info->cmd = ETHTOOL_GSSET_INFO;
  info->sset_mask = 1ULL << ETH_SS_FEATURES;
  if (!ask(socket, name, info) || info->sset_mask == 0) return 0;
  return info->data[0] > MOST_FEATURES ? 0 : info->data[0];
}
}  // namespace

unsigned currentOffloads(int socket, const std::string& name) {
  const unsigned count = featureCount(socket, name);
  if (count == 0) return 0;
  std::vector<uint64_t> stringMemory((sizeof(ethtool_gstrings) + count * ETH_GSTRING_LEN) / 8 + 1);
  auto* strings = reinterpret_cast<ethtool_gstrings*>(stringMemory.data());
  strings->cmd = ETHTOOL_GSTRINGS;
  strings->string_set = ETH_SS_FEATURES;
  strings->len = count;
  const unsigned blocks = (count + 31) / 32;
  std::vector<uint64_t> featureMemory(
      (sizeof(ethtool_gfeatures) + blocks * sizeof(ethtool_get_features_block)) / 8 + 1);
  auto* features = reinterpret_cast<ethtool_gfeatures*>(featureMemory.data());
  features->cmd = ETHTOOL_GFEATURES;
  features->size = blocks;
  if (!ask(socket, name, strings) || !ask(socket, name, features)) return 0;

  unsigned offloads = 0;
  for (unsigned i = 0; i < count; i++) {
    if ((features->features[i / 32].active & (1U << (i % 32))) == 0) continue;
    const char* feature = reinterpret_cast<const char*>(strings->data) + i * ETH_GSTRING_LEN;
    for (const Known& k : KNOWN) {
      if (std::strncmp(feature, k.name, ETH_GSTRING_LEN) == 0) offloads |= k.bits;
    }
  }
  return offloads;
}

}  // namespace portside
