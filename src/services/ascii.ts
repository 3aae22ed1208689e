// Text as octets where there is no TextEncoder (the core compiles without Node's and the browser's
// types). ASCII out, one character an octet in; enough for protocols that speak JSON in ASCII.

/** Characters above 0x7e become `?`: nothing that leaves here is longer than it looks. */
export function toAscii(text: string): Uint8Array {
  const octets = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    octets[i] = c < 0x7f ? c : 0x3f;
  }
  return octets;
}

/** Each octet is one character (ISO 8859-1). Meant for small texts. */
export function fromAscii(octets: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++) text += String.fromCharCode(octets[i] as number);
  return text;
}
