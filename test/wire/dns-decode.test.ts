import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DnsFault, decodeDns, readHeader, readQuestion } from '../../src/wire/dns-decode.ts';
import { NameReader, readName } from '../../src/wire/dns-name.ts';

/** Octets from text: `\x07` and so on stay what they are. */
const latin = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));
const word = (n: number): number[] => [(n >> 8) & 255, n & 255];
/** A response with these counts and this behind the header. */
const message = (counts: number[], ...body: number[][]): Uint8Array =>
  Uint8Array.from([0x12, 0x34, 0x81, 0x80, ...counts.flatMap(word), ...body.flat()]);
const A_EXAMPLE = latin('\x01a\x07example\x00');
const QUESTION = [...A_EXAMPLE, ...word(1), ...word(1)];
/** An answer for the question's name, by a pointer to it. */
const answer = (type: number, data: number[], length = data.length): number[] => [
  ...[0xc0, 12],
  ...word(type),
  ...word(1),
  ...[0, 0, 0, 60],
  ...word(length),
  ...data,
];

describe('a malformed message has a name and nothing else', () => {
  // biome-ignore format: a table
  const table: [string, DnsFault, Uint8Array][] = [
    // RFC 9267 §2
    ['a name that points to itself', 'POINTER', message([1, 0, 0, 0], [0xc0, 12], word(1), word(1))],
    ['a name that points to its own first label', 'POINTER',
      message([1, 0, 0, 0], [1, 0x61, 0xc0, 12], word(1), word(1))],
    ['two pointers that point to one another', 'POINTER',
      message([2, 0, 0, 0], [0xc0, 18], word(1), word(1), [0xc0, 12], word(1), word(1))],
    ['a pointer forwards', 'POINTER', message([1, 0, 0, 0], [0xc0, 18], word(1), word(1), A_EXAMPLE)],
    ['a pointer into the header', 'POINTER', message([1, 0, 0, 0], [0xc0, 4], word(1), word(1))],
    ['a pointer behind the message', 'POINTER', message([1, 0, 0, 0], [0xff, 0xff], word(1), word(1))],
    ['a pointer of which one octet is there', 'NAME_OVERRUN', message([1, 0, 0, 0], [1, 0x61, 0xc0])],
    ['a pointer into the middle of its own labels', 'POINTER',
      message([1, 0, 0, 0], [3, 1, 0x61, 0, 0xc0, 13], word(1), word(1))],
    // RFC 9267 §3: labels and names of no lawful length
    ['a label of type 0x40', 'LABEL_TYPE', message([1, 0, 0, 0], [0x40], new Array(64).fill(0x61), [0])],
    ['a label of type 0x80', 'LABEL_TYPE', message([1, 0, 0, 0], [0x80, 0x61, 0], word(1), word(1))],
    ['a label longer than the message', 'NAME_OVERRUN', message([1, 0, 0, 0], [63, 0x61, 0x62])],
    ['a name of 256 octets', 'NAME_LONG',
      message([1, 0, 0, 0], ...new Array(4).fill([62, ...new Array(62).fill(0x61)]),
        [2, 0x61, 0x61, 0], word(1), word(1))],
    ['a name of 256 octets by a pointer', 'NAME_LONG',
      message([2, 0, 0, 0], ...new Array(4).fill([62, ...new Array(62).fill(0x61)]), [0], word(1),
        word(1), [2, 0x61, 0x61, 0xc0, 12], word(1), word(1))],
    // RFC 9267 §4
    ['a name without its end', 'NAME_OVERRUN', message([1, 0, 0, 0], latin('\x01a\x07example'))],
    ['a name whose end is in another record', 'NAME_OVERRUN',
      message([1, 2, 0, 0], QUESTION, answer(2, [1, 0x62]), answer(1, [1, 2, 3, 4]))],
    // RFC 9267 §5
    ['data longer than the message', 'RDATA_OVERRUN',
      message([1, 1, 0, 0], QUESTION, answer(1, [1, 2, 3, 4], 5))],
    ['data of 65,535 octets in a message of 43', 'RDATA_OVERRUN',
      message([1, 1, 0, 0], QUESTION, answer(1, [1, 2, 3, 4], 0xffff))],
    ['an address of three octets', 'RDATA_SHORT', message([1, 1, 0, 0], QUESTION, answer(1, [1, 2, 3]))],
    ['an address of five octets', 'RDATA_EXTRA',
      message([1, 1, 0, 0], QUESTION, answer(1, [1, 2, 3, 4, 5]))],
    ['an IPv6 address of four octets', 'RDATA_SHORT',
      message([1, 1, 0, 0], QUESTION, answer(28, [1, 2, 3, 4]))],
    ['a string longer than its data', 'RDATA_SHORT',
      message([1, 1, 0, 0], QUESTION, answer(16, [5, 0x61, 0x62]))],
    ['text without a string', 'RDATA_SHORT', message([1, 1, 0, 0], QUESTION, answer(16, []))],
    ['an MX without a name', 'NAME_OVERRUN', message([1, 1, 0, 0], QUESTION, answer(15, word(10)))],
    ['an SOA that ends in its numbers', 'RDATA_SHORT',
      message([1, 1, 0, 0], QUESTION, answer(6, [0, 0, 0, 0, 0, 1]))],
    ['a CAA without a tag', 'RDATA_SHORT', message([1, 1, 0, 0], QUESTION, answer(257, [0, 0, 0x61]))],
    // RFC 9267 §6
    ['a question that is counted and missing', 'COUNT', message([1, 0, 0, 0])],
    ['65,535 questions in one', 'COUNT', message([0xffff, 0, 0, 0], QUESTION)],
    ['an answer that is counted and missing', 'COUNT', message([1, 1, 0, 0], QUESTION)],
    ['65,535 records of each kind', 'COUNT',
      message([1, 0xffff, 0xffff, 0xffff], QUESTION, answer(1, [1, 2, 3, 4]))],
    ['an answer that ends before its data', 'COUNT', message([1, 1, 0, 0], QUESTION, [0xc0, 12, 0, 1])],
    // RFC 1035 §4.1.1, RFC 6891
    ['a header of eleven octets', 'HEADER_SHORT', message([0, 0, 0, 0]).subarray(0, 11)],
    ['no octet at all', 'HEADER_SHORT', new Uint8Array(0)],
    ['two OPT records', 'OPT_TWICE',
      message([0, 0, 0, 2], [0, ...word(41), ...word(1232), 0, 0, 0, 0, 0, 0],
        [0, ...word(41), ...word(1232), 0, 0, 0, 0, 0, 0])],
    ['an EDNS option longer than the record', 'RDATA_SHORT',
      message([0, 0, 0, 1], [0, ...word(41), ...word(1232), 0, 0, 0, 0, ...word(4), 0, 3, 0, 9])],
  ];
  test.each(table)('%s: %s (RFC 9267)', (_name, fault, octets) => {
    expect(decodeDns(octets)).toBe(fault);
  });

  test('records that are all pointers end at a limit of steps (RFC 9267 §2)', () => {
    // 126 labels of one octet, then a pointer chain to it, then records whose owners are its end.
    const labels = new Array(126).fill([1, 0x61]).flat();
    const record = [...[0xc0, 12], ...word(1), ...word(1), 0, 0, 0, 0, ...word(4), 1, 2, 3, 4];
    const many = 4000;
    const octets = message(
      [1, many, 0, 0],
      [...labels, 0, ...word(1), ...word(1)],
      ...new Array(many).fill(record),
    );
    expect(octets.length).toBeLessThan(65_536);
    expect(decodeDns(octets)).toBe('STEPS');
  });
});

describe('a sound message', () => {
  test('a name of 255 octets is read (RFC 1035 §2.3.4)', () => {
    const label = [62, ...new Array(62).fill(0x61)];
    const octets = message(
      [1, 0, 0, 0],
      [...label, ...label, ...label, ...label, 1, 0x62, 0],
      word(1),
      word(1),
    );
    const m = decodeDns(octets);
    expect(typeof m === 'string' ? m : m.questions[0]?.name).toBe(
      `${`${'a'.repeat(62)}.`.repeat(4)}b`,
    );
  });

  test('a label of 63 octets is read, its special octets escaped (RFC 1035 §5.1)', () => {
    const octets = message(
      [1, 0, 0, 0],
      [5, 0x2e, 0x5c, 0x00, 0xff, 0x20, 63, ...new Array(63).fill(0x7a), 0],
      word(1),
      word(1),
    );
    const m = decodeDns(octets);
    expect(typeof m === 'string' ? m : m.questions[0]?.name).toBe(
      `\\.\\\\\\000\\255\\032.${'z'.repeat(63)}`,
    );
  });

  test('a TTL with its top bit set is zero (RFC 2181 §8)', () => {
    const record = [0xc0, 12, ...word(1), ...word(1), 0x80, 0, 0, 1, ...word(4), 1, 2, 3, 4];
    const m = decodeDns(message([1, 1, 0, 0], QUESTION, record));
    expect(typeof m === 'string' ? m : m.answers).toEqual([
      { kind: 'A', name: 'a.example', class: 1, ttl: 0, address: '1.2.3.4' },
    ]);
  });

  test('a mapped IPv6 address in an AAAA record stays one', () => {
    const data = [...new Array(10).fill(0), 255, 255, 1, 2, 3, 4];
    const m = decodeDns(message([1, 1, 0, 0], QUESTION, answer(28, data)));
    expect(typeof m === 'string' ? m : m.answers[0]).toMatchObject({ address: '::ffff:1.2.3.4' });
  });

  test('an address of another class is octets (RFC 3597 §3)', () => {
    const record = [0xc0, 12, ...word(1), ...word(3), 0, 0, 0, 1, ...word(3), 7, 8, 9];
    const m = decodeDns(message([1, 1, 0, 0], QUESTION, record));
    expect(typeof m === 'string' ? m : m.answers).toEqual([
      {
        kind: 'OTHER',
        name: 'a.example',
        class: 3,
        ttl: 1,
        type: 1,
        octets: Uint8Array.of(7, 8, 9),
      },
    ]);
  });

  test('the upper bits of the return code come from EDNS (RFC 6891 §6.1.3)', () => {
    const opt = [0, ...word(41), ...word(4096), 1, 0, 0x80, 0, ...word(5), 0, 10, 0, 1, 42];
    const m = decodeDns(message([0, 0, 0, 1], opt));
    expect(m).toMatchObject({
      rcode: 16,
      additionals: [],
      edns: {
        udpSize: 4096,
        version: 0,
        dnssecOk: true,
        options: [{ code: 10, octets: Uint8Array.of(42) }],
      },
    });
  });

  test('header and question are read where what follows is malformed', () => {
    const octets = message([1, 9, 9, 9], QUESTION, [0xc0, 0xc0]);
    expect(typeof decodeDns(octets)).toBe('string');
    expect(readHeader(octets, 0, octets.length)).toEqual({ id: 0x1234, isResponse: true });
    expect(readQuestion(octets, 0, octets.length)).toEqual({
      name: 'a.example',
      type: 1,
      class: 1,
    });
    expect(readHeader(octets, 0, 11)).toBe(null);
    expect(readQuestion(octets, 0, 20)).toBe(null);
  });
});

describe('whatever the octets are', () => {
  const sound = message(
    [1, 4, 0, 1],
    QUESTION,
    answer(5, latin('\x01b\xc0\x0e')),
    answer(16, latin('\x05hello\x00')),
    answer(15, [0, 10, 2, 0x6d, 0x78, 0xc0, 14]),
    answer(35, [0, 1, 0, 2, 1, 0x73, 0, 2, 0x21, 0x21, 0]),
    [0, ...word(41), ...word(1232), 0, 0, 0, 0, ...word(4), 0, 3, 0, 0],
  );

  test('every prefix of a message is refused, the whole is not', () => {
    expect(typeof decodeDns(sound)).toBe('object');
    for (let n = 0; n < sound.length; n++) {
      expect([n, typeof decodeDns(sound.subarray(0, n))]).toEqual([n, 'string']);
    }
  });

  test('no octets make the decoder throw or read behind their end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(20), (octets, off) => {
        const framed = new Uint8Array(off + octets.length + 20).fill(0xc0);
        framed.set(octets, off);
        expect(decodeDns(framed, off, octets.length)).toEqual(decodeDns(octets));
      }),
      { numRuns: 2000 },
    );
  });

  test('a sound message with wounds is decoded or has a fault', () => {
    const wound = fc.record({ at: fc.nat(sound.length - 1), octet: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(wound, { minLength: 1, maxLength: 4 }), (wounds) => {
        const octets = sound.slice();
        for (const { at, octet } of wounds) octets[at] = octet;
        const found = decodeDns(octets);
        expect(typeof found === 'string' || found.answers.length <= 65_535).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  test('a name takes at most 255 labels, pointers and ends to read (RFC 9267 §2)', () => {
    const few = fc.constantFrom(0, 1, 2, 3, 12, 14, 16, 63, 64, 0x80, 0xc0, 0xc1);
    fc.assert(
      fc.property(fc.array(few, { minLength: 13, maxLength: 700 }), fc.nat(690), (list, at) => {
        const octets = Uint8Array.from(list);
        const reader = new NameReader();
        const start = 12 + (at % (octets.length - 12));
        readName(reader, octets, [0, octets.length], start, octets.length);
        expect(reader.steps).toBeLessThanOrEqual(255);
      }),
      { numRuns: 3000 },
    );
  });
});
