//! The codes of refusals on the wire.

use borsh::BorshDeserialize;
use sudare_crypto::encoding::encode;
use sudare_ledger::messages::Reason;

use crate::net::{Refusal, refusal_code};

/// The node stops; ask again later.
pub const STOPPING: u16 = 1;
/// The node takes no such request from this sender.
pub const NOT_ADMITTED: u16 = 2;
/// The payload does not decode.
pub const MALFORMED: u16 = 3;
/// A role's refusal is this plus the reason's number.
const REASONS: u16 = 0x0100;

/// What a refusal means for the message.
pub(super) enum Verdict {
    /// It is not taken, now or later.
    Final(Reason),
    /// It may be taken later.
    Later,
}

/// A role's refusal.
pub(super) fn refuse(reason: Reason) -> Refusal {
    let number = encode(&reason).first().copied().unwrap_or(u8::MAX);
    Refusal::new(REASONS.saturating_add(number.into()), &reason.to_string())
}

/// The reason of a role's refusal; none if the refusal is the runtime's or the network layer's.
#[must_use]
pub fn reason_of(refusal: &Refusal) -> Option<Reason> {
    let number = u8::try_from(refusal.code.checked_sub(REASONS)?).ok()?;
    Reason::try_from_slice(&[number]).ok()
}

pub(super) fn verdict(refusal: &Refusal) -> Verdict {
    match refusal.code {
        // What arrived was cut short, or too slow: the next attempt may do better.
        STOPPING | refusal_code::LENGTH | refusal_code::SLOW => Verdict::Later,
        NOT_ADMITTED => Verdict::Final(Reason::WrongRole),
        MALFORMED | refusal_code::VERSION => Verdict::Final(Reason::Malformed),
        refusal_code::TOO_LONG => Verdict::Final(Reason::TooLarge),
        // A reason that this program does not know yet is final too.
        _ => Verdict::Final(reason_of(refusal).unwrap_or(Reason::Internal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_comes_back_from_its_refusal() {
        for number in 0..=u8::MAX {
            let Ok(reason) = Reason::try_from_slice(&[number]) else { continue };
            assert_eq!(reason_of(&refuse(reason)), Some(reason));
            assert!(refuse(reason).code < 0xff00);
        }
        assert_eq!(reason_of(&Refusal::new(STOPPING, "")), None);
        assert_eq!(reason_of(&Refusal::new(refusal_code::SLOW, "")), None);
    }
}
