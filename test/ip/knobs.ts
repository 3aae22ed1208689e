// The knobs of the layers in unit tests, written out.

import type { IpConfig } from '../../src/ip/ip.ts';
import type { UdpConfig } from '../../src/udp/udp.ts';

export const IP_CONFIG: IpConfig = {
  defaultTtl: 64,
  icmpRatePerSecond: 1000,
  icmpBurst: 200,
  echoBroadcast: false,
  reassemblyTimeoutMs: 30_000,
  reassemblyTimeout6Ms: 60_000,
  reassemblyMaxOctets: 4_194_304,
  reassemblyMaxOctetsPerSource: 1_048_576,
  reassemblyMaxFragments: 128,
  reassemblyMaxDatagrams: 1024,
  pmtuMin: 552,
  pmtuExpireMs: 600_000,
  pmtuMaxEntries: 64,
  groupMax: 32,
  groupMaxSources: 8,
  groupRobustness: 2,
  groupQueryIntervalMs: 125_000,
  reportLinkLocalGroups: false,
  txArenaOctets: 262_144,
  neighborMax: 64,
  neighborMaxAsked: 16,
  neighborReachableMs: 30_000,
  neighborRetransMs: 1000,
  neighborQueuePackets: 3,
  neighborQueueOctets: 262_144,
  arpProbes: 0,
  dadTransmits: 1,
};

export const UDP_CONFIG: UdpConfig = {
  udpReceiveOctets: 212_992,
  udpSendOctets: 1_048_576,
  udpMemoryOctets: 16_777_216,
  udpMaxSockets: 1024,
  udpBufferMax: 4_194_304,
  udpMaxMemberships: 20,
  udpMaxSources: 10,
  udpDrainDatagrams: 1024,
  ephemeralLow: 32_768,
  ephemeralHigh: 60_999,
};
