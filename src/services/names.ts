// Well-known service names and their ports: the part of the IANA registry that people meet
// (RFC 6335), and which of them `portside up` can serve. Pure data and two lookups.

export type Protocol = 'tcp' | 'udp';

export interface ServiceName {
  readonly name: string;
  readonly port: number;
  readonly protocols: readonly Protocol[];
  readonly what: string;
  /** The option of `portside up` that serves it; null: a name only. */
  readonly option: string | null;
}

const TCP: readonly Protocol[] = ['tcp'];
const UDP: readonly Protocol[] = ['udp'];
const BOTH: readonly Protocol[] = ['tcp', 'udp'];

function known(
  port: number,
  name: string,
  protocols: readonly Protocol[],
  what: string,
  option: string | null = null,
): ServiceName {
  return { name, port, protocols, what, option };
}

/** Sorted by port; a port may stand twice when TCP and UDP mean different things. */
export const SERVICES: readonly ServiceName[] = [
  known(7, 'echo', BOTH, 'sends back what it receives (RFC 862)', '--echo'),
  known(9, 'discard', BOTH, 'reads and drops (RFC 863)', '--discard'),
  known(11, 'systat', TCP, 'active users'),
  known(13, 'daytime', BOTH, 'date and time as text (RFC 867)'),
  known(17, 'qotd', BOTH, 'quote of the day (RFC 865)'),
  known(19, 'chargen', TCP, 'an endless source of text (RFC 864)', '--chargen'),
  known(20, 'ftp-data', TCP, 'file transfer, data (RFC 959)'),
  known(21, 'ftp', TCP, 'file transfer, control (RFC 959)'),
  known(22, 'ssh', TCP, 'secure shell (RFC 4251)'),
  known(23, 'telnet', TCP, 'terminal (RFC 854)'),
  known(25, 'smtp', TCP, 'mail transfer (RFC 5321)'),
  known(37, 'time', BOTH, 'seconds since 1900 (RFC 868)'),
  known(43, 'nicname', TCP, 'whois (RFC 3912)'),
  known(49, 'tacacs', TCP, 'terminal access control'),
  known(53, 'domain', BOTH, 'names to addresses (RFC 1035)'),
  known(67, 'bootps', UDP, 'DHCP server (RFC 2131)'),
  known(68, 'bootpc', UDP, 'DHCP client (RFC 2131)'),
  known(69, 'tftp', UDP, 'trivial file transfer (RFC 1350)'),
  known(70, 'gopher', TCP, 'gopher (RFC 1436)'),
  known(79, 'finger', TCP, 'who is it (RFC 1288)'),
  known(80, 'http', TCP, 'the web (RFC 9110)', '--http'),
  known(88, 'kerberos', BOTH, 'tickets (RFC 4120)'),
  known(110, 'pop3', TCP, 'mailbox (RFC 1939)'),
  known(111, 'sunrpc', BOTH, 'port mapper (RFC 1833)'),
  known(113, 'auth', TCP, 'identification (RFC 1413)'),
  known(119, 'nntp', TCP, 'news (RFC 3977)'),
  known(123, 'ntp', UDP, 'network time (RFC 5905)'),
  known(137, 'netbios-ns', UDP, 'NetBIOS names (RFC 1002)'),
  known(139, 'netbios-ssn', TCP, 'NetBIOS sessions (RFC 1002)'),
  known(143, 'imap', TCP, 'mailbox (RFC 9051)'),
  known(161, 'snmp', UDP, 'management (RFC 3411)'),
  known(162, 'snmptrap', UDP, 'management, notifications (RFC 3411)'),
  known(179, 'bgp', TCP, 'routing between networks (RFC 4271)'),
  known(194, 'irc', TCP, 'chat (RFC 1459)'),
  known(389, 'ldap', TCP, 'directory (RFC 4511)'),
  known(443, 'https', TCP, 'the web over TLS (RFC 9110)'),
  known(443, 'quic', UDP, 'the web over QUIC (RFC 9114)'),
  known(445, 'microsoft-ds', TCP, 'SMB file sharing'),
  known(465, 'submissions', TCP, 'mail submission over TLS (RFC 8314)'),
  known(500, 'isakmp', UDP, 'IPsec keys (RFC 7296)'),
  known(514, 'syslog', UDP, 'log messages (RFC 5426)'),
  known(515, 'printer', TCP, 'line printer (RFC 1179)'),
  known(546, 'dhcpv6-client', UDP, 'DHCPv6 client (RFC 8415)'),
  known(547, 'dhcpv6-server', UDP, 'DHCPv6 server (RFC 8415)'),
  known(554, 'rtsp', TCP, 'media streams (RFC 7826)'),
  known(587, 'submission', TCP, 'mail submission (RFC 6409)'),
  known(631, 'ipp', TCP, 'printing (RFC 8010)'),
  known(636, 'ldaps', TCP, 'directory over TLS'),
  known(853, 'domain-s', BOTH, 'names to addresses over TLS (RFC 7858)'),
  known(873, 'rsync', TCP, 'file synchronisation'),
  known(989, 'ftps-data', TCP, 'file transfer over TLS, data'),
  known(990, 'ftps', TCP, 'file transfer over TLS, control'),
  known(993, 'imaps', TCP, 'mailbox over TLS (RFC 8314)'),
  known(995, 'pop3s', TCP, 'mailbox over TLS (RFC 8314)'),
  known(1080, 'socks', TCP, 'proxy (RFC 1928)'),
  known(1883, 'mqtt', TCP, 'messages of small devices'),
  known(2049, 'nfs', TCP, 'network file system (RFC 7530)'),
  known(3306, 'mysql', TCP, 'MySQL and MariaDB'),
  known(3389, 'ms-wbt-server', TCP, 'remote desktop'),
  known(3478, 'stun', BOTH, 'address discovery behind NAT (RFC 8489)'),
  known(4500, 'ipsec-nat-t', UDP, 'IPsec through NAT (RFC 3948)'),
  known(5060, 'sip', BOTH, 'telephony (RFC 3261)'),
  known(5201, 'iperf3', BOTH, 'throughput measurement (by convention)', '--iperf3'),
  known(5222, 'xmpp-client', TCP, 'chat (RFC 6120)'),
  known(5353, 'mdns', UDP, 'names without a server (RFC 6762)'),
  known(5432, 'postgresql', TCP, 'PostgreSQL'),
  known(5672, 'amqp', TCP, 'message queues'),
  known(6379, 'redis', TCP, 'Redis (by convention)'),
  known(6881, 'bittorrent', TCP, 'BitTorrent peers (by convention)'),
  known(8080, 'http-alt', TCP, 'the web, another port'),
];

/** Port of a name, `'http'` → 80; -1 when the registry does not know it. Names are lower case. */
export function servicePort(name: string, protocol: Protocol = 'tcp'): number {
  for (const service of SERVICES) {
    if (service.name === name && service.protocols.includes(protocol)) return service.port;
  }
  return -1;
}

/** Name of a port, 80 → `'http'`; null when the registry does not know it. */
export function serviceName(port: number, protocol: Protocol = 'tcp'): string | null {
  for (const service of SERVICES) {
    if (service.port === port && service.protocols.includes(protocol)) return service.name;
  }
  return null;
}
