//! SHA-256 of the two sizes that the trees hash by the million, in whole blocks: with the padding laid out beforehand, a
//! digest is the compression function and nothing else. The function itself is that of `sha2`, which uses the
//! processor's instructions for it where there are any.

use sha2::block_api::compress256;

use crate::hash::Hash;

/// The initial hash value (FIPS 180-4 §5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A message of `N` bytes, 56 to 119, with its padding: two blocks.
#[derive(Debug, Clone)]
pub(crate) struct TwoBlocks<const N: usize>([u8; 128]);

impl<const N: usize> TwoBlocks<N> {
    /// All zero but the padding.
    pub(crate) const fn new() -> Self {
        const { assert!(N >= 56 && N <= 119) };
        let mut bytes = [0; 128];
        bytes[N] = 0x80;
        let bits = (N as u64 * 8).to_be_bytes();
        let mut at = 0;
        while at < 8 {
            bytes[120 + at] = bits[at];
            at += 1;
        }
        Self(bytes)
    }

    /// The message: `N` bytes.
    pub(crate) fn message(&mut self) -> &mut [u8] {
        &mut self.0[..N]
    }

    /// SHA-256 of the message.
    pub(crate) fn digest(&self) -> Hash {
        let (blocks, _) = self.0.as_chunks::<64>();
        let mut state = INITIAL;
        compress256(&mut state, blocks);
        let mut out = [0; 32];
        for (bytes, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        Hash(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees<const N: usize>() {
        let mut blocks = TwoBlocks::<N>::new();
        for (at, byte) in blocks.message().iter_mut().enumerate() {
            *byte = u8::try_from(at * 7 % 251).unwrap();
        }
        let message = blocks.message().to_vec();
        assert_eq!(blocks.digest(), Hash::of(&message), "{N} bytes");
    }

    #[test]
    fn the_digest_is_that_of_sha2() {
        agrees::<56>();
        agrees::<65>();
        agrees::<111>();
        agrees::<119>();
    }
}
