//! The first byte chooses the decoder, the rest is what it reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sudare_tests::decoders::{TARGETS, check};

fuzz_target!(|data: &[u8]| {
    if let Some((choice, bytes)) = data.split_first() {
        check(&TARGETS[usize::from(*choice) % TARGETS.len()], bytes);
    }
});
