// The door `portside/core`: the stack without Node. Time, randomness, packets and memory are
// arguments; the same code runs in Node, in a browser and under a simulated clock.

export { Code, CodeError, codeName } from './base/code.ts';
export { type CounterName, Counters } from './base/counters.ts';
export { Drop, dropName } from './base/drop.ts';
export { type Random, SeededRandom } from './base/random.ts';
export { GsoType, type Rx, RxFlag } from './base/rx.ts';
export { Slab } from './base/slab.ts';
export { HEADROOM, MAX_PIECES, type Tx, TxFlag } from './base/tx.ts';
export type { TrackConfig } from './forward/conntrack.ts';
export type { NatOptions, PortForward } from './forward/nat-rules.ts';
export { type Filter, type PacketView, Ruling } from './forward/packet-view.ts';
export {
  EVENT_KINDS,
  EventReader,
  type EventRow,
  kindsMask,
  type SegmentRow,
  type StateRow,
  subscribe,
} from './inspect/event-rows.ts';
export type { SubscribeOptions } from './inspect/events.ts';
export { metricsText } from './inspect/metrics.ts';
export type { DropListener, IpConfig } from './ip/ip.ts';
export {
  Capture,
  type CaptureOptions,
  type CaptureSink,
  Direction,
  PcapngWriter,
} from './link/capture.ts';
export { Impair, type Impairment, type ImpairStats, type InFlight } from './link/impair.ts';
export { type Link, LinkCap } from './link/link.ts';
export { copyPacket, packetLen } from './link/packet.ts';
export { Cable, type CableOptions, type PairEnd } from './link/pair.ts';
export { startChargen } from './services/chargen.ts';
export { startDiscard } from './services/discard.ts';
export {
  DNS_DEFAULTS,
  type DnsCode,
  type DnsConfig,
  type DnsReply,
  type DnsServer,
  DnsStats,
} from './services/dns/config.ts';
export { HostsTable } from './services/dns/hosts.ts';
export {
  type LookupReply,
  type LookupRequest,
  lookup as dnsLookup,
} from './services/dns/lookup.ts';
export { DnsResolver, type ResolverOptions } from './services/dns/resolver.ts';
export { startEcho } from './services/echo.ts';
export { type Iperf3Options, startIperf3 } from './services/iperf3.ts';
export { SERVICES, type ServiceName, serviceName, servicePort } from './services/names.ts';
export type { Listening, Service, Timers } from './services/service.ts';
export {
  type EchoReply,
  type IcmpReport,
  type PingHandler,
  type PingOptions,
  type PingRequest,
  PingSocket,
} from './socket/ping-socket.ts';
export { Poll, Shutdown, type StreamOptions, StreamSocket } from './socket/stream-socket.ts';
export type { TcpInfo } from './socket/tcp-info.ts';
export type { Knock, ListenOptions, ServerHandler, TcpServer } from './socket/tcp-server.ts';
export type { ConnectOptions, TcpHandler, TcpOptions, TcpSocket } from './socket/tcp-socket.ts';
export type {
  GroupLinkName,
  SendOptions,
  UdpGroups,
  UdpHandler,
  UdpMeta,
  UdpOptions,
  UdpSocket,
} from './socket/udp-socket.ts';
export type { Config, ConfigOverrides, StackConfig } from './stack/config.ts';
export {
  connectionDetail,
  type Detail,
  type DropRow,
  dropRows,
  type FragmentsRow,
  fragmentRows,
  inspectStack,
  type PathRow,
  pathRows,
  type StackView,
} from './stack/detail.ts';
export { type ProfileName, profile, profiles } from './stack/profiles.ts';
export type { FlowRow, SocketRow } from './stack/snapshot.ts';
export { type RouteOptions, Stack, type StackOptions } from './stack/stack.ts';
export type {
  AddressRow,
  FlowEntryRow,
  HolderRow,
  LinkRow,
  PortRow,
  RouteRow,
} from './stack/tables.ts';
export { bbr } from './tcp/congestion/bbr.ts';
export type { CongestionMemory, Controller } from './tcp/congestion/controller.ts';
export { cubic } from './tcp/congestion/cubic.ts';
export { newReno } from './tcp/congestion/newreno.ts';
export type { TcpConfig } from './tcp/tcp.ts';
export type { UdpConfig } from './udp/udp.ts';
export { Address, type Prefix, parse, parsePrefix } from './wire/address.ts';
export {
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  DnsType,
  dnsAnswer,
  dnsMessage,
  dnsQuery,
  type Edns,
  Rcode,
} from './wire/dns.ts';
export { type DnsFault, decodeDns } from './wire/dns-decode.ts';
export { encodeDns } from './wire/dns-encode.ts';
