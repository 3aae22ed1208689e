// Every reason for which a packet is discarded, under Linux's name where Linux has one
// (include/net/dropreason-core.h); LINK_*, POLICY, BAD_META and
// ADDRESS_CONFLICT are our own.

export const Drop = {
  NONE: 0,
  NO_SOCKET: 1,
  PKT_TOO_SMALL: 2,
  TCP_CSUM: 3,
  UDP_CSUM: 4,
  IP_CSUM: 5,
  ICMP_CSUM: 6,
  IP_INHDR: 7,
  IP_NOPROTO: 8,
  IP_INADDRERRORS: 9,
  IP_INNOROUTES: 10,
  IP_OUTNOROUTES: 11,
  IP_INVALID_SOURCE: 12,
  OTHERHOST: 13,
  UNHANDLED_PROTO: 14,
  SOCKET_RCVBUFF: 15,
  SOCKET_BACKLOG: 16,
  SOCKET_FILTER: 17,
  PROTO_MEM: 18,
  TCP_FLAGS: 19,
  TCP_ZEROWINDOW: 20,
  TCP_OLD_DATA: 21,
  TCP_OVERWINDOW: 22,
  TCP_OLD_SEQUENCE: 23,
  TCP_INVALID_SEQUENCE: 24,
  TCP_INVALID_ACK_SEQUENCE: 25,
  TCP_ACK_UNSENT_DATA: 26,
  TCP_OLD_ACK: 27,
  TCP_TOO_OLD_ACK: 28,
  TCP_RFC7323_PAWS: 29,
  TCP_LISTEN_OVERFLOW: 30,
  TCP_OFO_QUEUE_PRUNE: 31,
  TCP_OFO_DROP: 32,
  TCP_INVALID_SYN: 33,
  TCP_RESET: 34,
  TCP_CLOSE: 35,
  TCP_ABORT_ON_DATA: 36,
  DUP_FRAG: 37,
  FRAG_REASM_TIMEOUT: 38,
  FRAG_TOO_FAR: 39,
  PKT_TOO_BIG: 40,
  NEIGH_FAILED: 41,
  FULL_RING: 42,
  NETFILTER_DROP: 43,
  IPV6_BAD_EXTHDR: 44,
  ICMP_RATELIMIT: 45,
  INVALID_PROTO: 46,
  IP_TTL: 47,
  IP_OPTIONS: 48,
  LINK_LOSS: 49,
  LINK_QUEUE: 50,
  LINK_DOWN: 51,
  POLICY: 52,
  BAD_META: 53,
  INTERNAL: 54,
  TCP_MINTTL: 55,
  FRAG_OVERLAP: 56,
  IGMP_CSUM: 57,
  NEIGH_QUEUEFULL: 58,
  IPV6_NDISC_HOP_LIMIT: 59,
  IPV6_NDISC_BAD_CODE: 60,
  IPV6_NDISC_BAD_OPTIONS: 61,
  IPV6_NDISC_NS_OTHERHOST: 62,
  IPV6_NDISC_FAILED: 63,
  ADDRESS_CONFLICT: 64,
} as const;
export type Drop = (typeof Drop)[keyof typeof Drop];

const names: string[] = [];
for (const [name, value] of Object.entries(Drop)) names[value] = name;

export function dropName(reason: number): string {
  return names[reason] ?? 'UNKNOWN';
}

export const DROP_COUNT = names.length;
