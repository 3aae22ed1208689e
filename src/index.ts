// The door `portside` on Node: everything of the core, and hosts with `net` and `dgram`.

export * from './core.ts';
export { hasAddon } from './node/addon.ts';
export { type Clock, SystemClock } from './node/clock.ts';
export { defaultHost } from './node/default-host.ts';
export type { DgramModule } from './node/dgram.ts';
export type { BatchMessage, DatagramBatch } from './node/dgram-batch.ts';
export type {
  BatchCallback,
  Datagram,
  DatagramSocketOptions,
  PacketInfo,
  PortsideDgramSocket,
} from './node/dgram-extras.ts';
export type { DnsModule } from './node/dns.ts';
export type { DnsOptions } from './node/dns-options.ts';
export {
  type FromTuntapOptions,
  fromTuntap,
  type StreamLink,
  type TunDriver,
  type TuntapDevice,
} from './node/fromtuntap.ts';
export {
  attachHost,
  type CloseOptions,
  createHost,
  createLocalHost,
  type Host,
} from './node/host.ts';
export type { NetModule } from './node/net.ts';
export type { EthernetOptions, HostLimits, HostOptions, TunOptions } from './node/options.ts';
export type { QueueStats } from './node/queues.ts';
export { SystemRandom } from './node/random.ts';
export {
  register,
  registeredHost,
  registerFromEnvironment,
  registerFromEnvironmentNow,
  registerNow,
  unregister,
} from './node/register.ts';
export type { RegisterConfig } from './node/register-config.ts';
export type { Gate, ListenExtras, Peer, ServerExtras } from './node/server-options.ts';
export type { PortsideSocket, SocketTcpOptions } from './node/tcp-options.ts';
export type { DeviceInfo, DeviceLink, DeviceSink, Offload } from './node/tun.ts';
