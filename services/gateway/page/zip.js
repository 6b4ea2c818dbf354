// A ZIP archive of files as they are (method "stored"; PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16).

const TABLE = Uint32Array.from({ length: 256 }, (_, start) => {
  let value = start;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});
const UTF8_NAMES = 0x0800;
export const LARGEST = 0xffffffff; // bytes of an archive without ZIP64

/** CRC-32 of bytes (ISO 3309). */
export function crc32(content) {
  let value = 0xffffffff;
  for (const byte of content) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function fields(...pairs) {
  const content = new DataView(new ArrayBuffer(pairs.reduce((size, [width]) => size + width, 0)));
  let at = 0;
  for (const [width, value] of pairs) {
    if (width === 2) content.setUint16(at, value, true);
    else content.setUint32(at, value, true);
    at += width;
  }
  return content.buffer;
}

/** The archive of `[{name, blob}…]`, dated `when`. */
export async function zip(files, when = new Date()) {
  const time = (when.getHours() << 11) | (when.getMinutes() << 5) | (when.getSeconds() >> 1);
  const day = ((when.getFullYear() - 1980) << 9) | ((when.getMonth() + 1) << 5) | when.getDate();
  const pieces = [];
  const directory = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const label = new TextEncoder().encode(name);
    const check = crc32(new Uint8Array(await blob.arrayBuffer()));
    const common = [[2, 20], [2, UTF8_NAMES], [2, 0], [2, time], [2, day], [4, check], [4, blob.size], [4, blob.size], [2, label.length], [2, 0]];
    pieces.push(fields([4, 0x04034b50], ...common), label, blob);
    directory.push(fields([4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), label);
    offset += 30 + label.length + blob.size;
  }
  const size = directory.reduce((sum, piece) => sum + piece.byteLength, 0);
  const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, offset], [2, 0]);
  return new Blob([...pieces, ...directory, end], { type: "application/zip" });
}
