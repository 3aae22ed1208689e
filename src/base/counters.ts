// Counters under the names that nstat and the MIBs give them. A Float64Array slot counts past 2^31
// without allocation; `Ctr.IpInReceives` is an index, `counters.get('IpInReceives')` a value.

import { DROP_COUNT, dropName } from './drop.ts';

// prettier-ignore
const NAMES = [
  'IpInReceives', 'IpInHdrErrors', 'IpInAddrErrors', 'IpInUnknownProtos', 'IpInDiscards',
  'IpInDelivers', 'IpOutRequests', 'IpOutDiscards', 'IpOutNoRoutes', 'IpForwDatagrams',
  'IpReasmTimeout', 'IpReasmReqds', 'IpReasmOKs', 'IpReasmFails',
  'IpFragOKs', 'IpFragFails', 'IpFragCreates',
  'Ip6InReceives', 'Ip6InHdrErrors', 'Ip6InAddrErrors', 'Ip6InUnknownProtos', 'Ip6InDiscards',
  'Ip6InDelivers', 'Ip6OutRequests', 'Ip6OutDiscards', 'Ip6OutNoRoutes',
  'Ip6ReasmTimeout', 'Ip6ReasmReqds', 'Ip6ReasmOKs', 'Ip6ReasmFails',
  'Ip6FragOKs', 'Ip6FragFails', 'Ip6FragCreates',
  'IcmpInMsgs', 'IcmpInErrors', 'IcmpInCsumErrors', 'IcmpInDestUnreachs', 'IcmpInTimeExcds',
  'IcmpInParmProbs', 'IcmpInEchos', 'IcmpInEchoReps', 'IcmpOutMsgs', 'IcmpOutErrors',
  'IcmpOutDestUnreachs', 'IcmpOutTimeExcds', 'IcmpOutParmProbs', 'IcmpOutEchos',
  'IcmpOutEchoReps', 'IcmpOutRateLimitHost',
  'UdpInDatagrams', 'UdpNoPorts', 'UdpInErrors', 'UdpOutDatagrams', 'UdpRcvbufErrors',
  'UdpSndbufErrors', 'UdpInCsumErrors',
  'TcpActiveOpens', 'TcpPassiveOpens', 'TcpAttemptFails', 'TcpEstabResets', 'TcpCurrEstab',
  'TcpInSegs', 'TcpOutSegs', 'TcpRetransSegs', 'TcpInErrs', 'TcpOutRsts', 'TcpInCsumErrors',
  'TcpExtSyncookiesSent', 'TcpExtSyncookiesRecv', 'TcpExtSyncookiesFailed',
  'TcpExtEmbryonicRsts', 'TcpExtOfoPruned', 'TcpExtTW', 'TcpExtTWRecycled', 'TcpExtPAWSActive',
  'TcpExtPAWSEstab', 'TcpExtDelayedACKs', 'TcpExtDelayedACKLost', 'TcpExtListenOverflows',
  'TcpExtListenDrops', 'TcpExtTCPHPHits', 'TcpExtTCPPureAcks', 'TcpExtTCPHPAcks',
  'TcpExtTCPRenoRecovery', 'TcpExtTCPSackRecovery', 'TcpExtTCPSACKReneging',
  'TcpExtTCPSACKReorder', 'TcpExtTCPTSReorder', 'TcpExtTCPFullUndo', 'TcpExtTCPPartialUndo',
  'TcpExtTCPDSACKUndo', 'TcpExtTCPLossUndo', 'TcpExtTCPLostRetransmit',
  'TcpExtTCPRenoFailures', 'TcpExtTCPSackFailures', 'TcpExtTCPLossFailures',
  'TcpExtTCPFastRetrans', 'TcpExtTCPSlowStartRetrans', 'TcpExtTCPTimeouts',
  'TcpExtTCPLossProbes', 'TcpExtTCPLossProbeRecovery', 'TcpExtTCPRenoRecoveryFail',
  'TcpExtTCPSackRecoveryFail', 'TcpExtTCPRcvCollapsed', 'TcpExtTCPDSACKOldSent',
  'TcpExtTCPDSACKOfoSent', 'TcpExtTCPDSACKRecv', 'TcpExtTCPDSACKOfoRecv',
  'TcpExtTCPAbortOnData', 'TcpExtTCPAbortOnClose', 'TcpExtTCPAbortOnMemory',
  'TcpExtTCPAbortOnTimeout', 'TcpExtTCPAbortOnLinger', 'TcpExtTCPAbortFailed',
  'TcpExtTCPSACKDiscard', 'TcpExtTCPDSACKIgnoredOld', 'TcpExtTCPDSACKIgnoredNoUndo',
  'TcpExtTCPSpuriousRTOs', 'TcpExtTCPTimeWaitOverflow', 'TcpExtTCPReqQFullDoCookies',
  'TcpExtTCPReqQFullDrop', 'TcpExtTCPRetransFail', 'TcpExtTCPRcvCoalesce', 'TcpExtTCPOFOQueue',
  'TcpExtTCPOFODrop', 'TcpExtTCPOFOMerge', 'TcpExtTCPChallengeACK', 'TcpExtTCPSYNChallenge',
  'TcpExtTCPFastOpenActive', 'TcpExtTCPFastOpenActiveFail', 'TcpExtTCPFastOpenPassive',
  'TcpExtTCPFastOpenPassiveFail', 'TcpExtTCPFastOpenListenOverflow',
  'TcpExtTCPFastOpenCookieReqd', 'TcpExtTCPFastOpenBlackhole', 'TcpExtTCPAutoCorking',
  'TcpExtTCPFromZeroWindowAdv', 'TcpExtTCPToZeroWindowAdv', 'TcpExtTCPWantZeroWindowAdv',
  'TcpExtTCPSynRetrans', 'TcpExtTCPOrigDataSent', 'TcpExtTCPHystartTrainDetect',
  'TcpExtTCPHystartTrainCwnd', 'TcpExtTCPHystartDelayDetect', 'TcpExtTCPHystartDelayCwnd',
  'TcpExtTCPACKSkippedSynRecv', 'TcpExtTCPACKSkippedPAWS', 'TcpExtTCPACKSkippedSeq',
  'TcpExtTCPACKSkippedFinWait2', 'TcpExtTCPACKSkippedTimeWait', 'TcpExtTCPACKSkippedChallenge',
  'TcpExtTCPWinProbe', 'TcpExtTCPKeepAlive', 'TcpExtTCPMTUPFail', 'TcpExtTCPMTUPSuccess',
  'TcpExtTCPDelivered', 'TcpExtTCPDeliveredCE', 'TcpExtTCPAckCompressed',
  'TcpExtTCPZeroWindowDrop', 'TcpExtTCPRcvQDrop', 'TcpExtTCPWqueueTooBig', 'TcpExtTcpTimeoutRehash',
  'IpExtInNoRoutes', 'IpExtInTruncatedPkts', 'IpExtInMcastPkts', 'IpExtOutMcastPkts',
  'IpExtInBcastPkts', 'IpExtOutBcastPkts', 'IpExtInOctets', 'IpExtOutOctets',
  'IpExtInCsumErrors', 'IpExtInNoECTPkts', 'IpExtInECT1Pkts', 'IpExtInECT0Pkts', 'IpExtInCEPkts',
  'PortsideExceptions', 'PortsideRxPackets', 'PortsideTxPackets', 'PortsideTxFull',
] as const;

export type CounterName = (typeof NAMES)[number];

export const Ctr = Object.fromEntries(NAMES.map((name, i) => [name, i])) as Readonly<
  Record<CounterName, number>
>;

export class Counters {
  readonly values = new Float64Array(NAMES.length);
  /** Discarded packets by reason: index is a `Drop`. */
  readonly drops = new Float64Array(DROP_COUNT);

  get(name: CounterName): number {
    return this.values[Ctr[name]] as number;
  }

  /** Every counter and every drop reason by name, as a plain object. */
  snapshot(): { counters: Record<string, number>; drops: Record<string, number> } {
    const counters: Record<string, number> = {};
    for (let i = 0; i < NAMES.length; i++) counters[NAMES[i] as string] = this.values[i] as number;
    const drops: Record<string, number> = {};
    for (let i = 1; i < DROP_COUNT; i++) drops[dropName(i)] = this.drops[i] as number;
    return { counters, drops };
  }
}
