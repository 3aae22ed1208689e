// Which TUN_F_* offloads a device has at present. No TUN ioctl tells; ethtool's feature bits do.
#pragma once

#include <string>

namespace portside {

// Older headers lack these two.
constexpr unsigned TUN_OFFLOAD_USO4 = 0x20;
constexpr unsigned TUN_OFFLOAD_USO6 = 0x40;

/** TUN_F_* bits of `name`, asked through a socket of the device's namespace. */
unsigned currentOffloads(int socket, const std::string& name);

}  // namespace portside
