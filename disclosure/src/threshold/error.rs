//! What can go wrong in a ceremony, by whose fault, and what to do.

use sudare_crypto::{Hash, Malformed, NodeId, Text};

use super::THRESHOLD_MIN;

/// Why a step of a ceremony was refused. Nothing secret is in it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CeremonyError {
    /// Bytes do not decode.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A group that does not hold together.
    #[error("this is not a group that a ceremony made: get the group's file again")]
    Group,
    /// An officer is named twice.
    #[error("every officer must be named once, with a name and a key of its own")]
    OfficerTwice,
    /// An impossible threshold.
    #[error(
        "a threshold of {threshold} is not possible with {officers} officers: from {min} to all of them",
        min = THRESHOLD_MIN
    )]
    Threshold {
        /// The threshold.
        threshold: u8,
        /// How many officers.
        officers: usize,
    },
    /// A number of keys that a policy can't have.
    #[error("a ceremony makes from 1 to 64 keys, one an epoch")]
    Epochs,
    /// A refresh with other officers.
    #[error("a refresh keeps officers and threshold: plan a move to change them")]
    NotARefresh,
    /// Too few or unknown dealers.
    #[error(
        "a move needs at least {needed} officers of the group to deal, each named once, in order"
    )]
    Dealers {
        /// The old group's threshold.
        needed: u8,
    },
    /// Not in the plan.
    #[error("this officer's key is not in the plan: compare the keys' ids with the plan's")]
    NotInvited,
    /// Shares and group do not belong together.
    #[error("these shares are not of this group: older generations are of no use with newer ones")]
    OtherGroup,
    /// A dealer of old keys without its shares.
    #[error("this officer deals out shares of existing keys: name the file with its shares")]
    SharesNeeded,
    /// A state of another ceremony.
    #[error("the state is of another ceremony: each ceremony has a state file of its own")]
    OtherState,
    /// A message of another ceremony.
    #[error("a message from {from} is of ceremony {given}, not of this one")]
    OtherCeremony {
        /// Who sent it.
        from: NodeId,
        /// Its ceremony.
        given: Hash,
    },
    /// A message of a stranger.
    #[error("{0} is not an officer of this ceremony, or has nothing to say in this step")]
    Stranger(NodeId),
    /// A signature that does not hold.
    #[error("{0}'s signature does not hold: the file was changed, or is not from {0}")]
    Signature(Text<32>),
    /// A message of another step.
    #[error("the message from {from} is of the step `{given}`; this step takes `{wanted}`")]
    WrongStep {
        /// Who sent it.
        from: Text<32>,
        /// Its step.
        given: &'static str,
        /// The step that is wanted.
        wanted: &'static str,
    },
    /// A message for somebody else.
    #[error("the message from {0} is for another officer")]
    NotForYou(Text<32>),
    /// The same message twice.
    #[error("the message from {0} was given twice: name each file once")]
    Twice(Text<32>),
    /// (!) Two different messages.
    #[error(
        "(!) {0} signed two different messages for one step: stop, keep both files as evidence, start a new ceremony"
    )]
    Contradiction(Text<32>),
    /// Messages that are not there.
    #[error("still missing the `{step}` message of: {names}")]
    Missing {
        /// The step.
        step: &'static str,
        /// Whose.
        names: String,
    },
    /// An own message that this state did not say.
    #[error(
        "the `commit` file under this officer's own name was made with another state: take the file that this state made, or start a new ceremony"
    )]
    NotOwnCommit,
    /// Other commitments than before.
    #[error(
        "(!) this officer has dealt for other commitments before: take the files of that time, or start a new ceremony"
    )]
    AlreadyDealt,
    /// Parts of a signature for other commitments than before.
    #[error(
        "(!) this officer has signed for other commitments before: take the files of that time, or start again with new state files"
    )]
    AlreadySigned,
    /// Too few officers to sign together.
    #[error(
        "{given} officer(s) committed of {needed} needed: get the `retire-commit` files of more"
    )]
    TooFewSigners {
        /// How many committed.
        given: usize,
        /// The group's threshold.
        needed: u8,
    },
    /// A message about another retirement.
    #[error(
        "the message from {0} is about another group, reason or first epoch: agree on them, and start again"
    )]
    OtherRetirement(NodeId),
    /// Nothing to retire.
    #[error(
        "no key can be retired so: the group has keys for the epochs 0 to {last}, and their label must have room for a mark"
    )]
    NothingToRetire {
        /// The last epoch.
        last: u8,
    },
    /// This officer has not dealt yet.
    #[error("this officer has not dealt yet: `deal` comes before `finish`")]
    NotDealt,
    /// A dealer that saw other commitments.
    #[error(
        "(!) {0} dealt for other commitments than these: somebody showed different files to different officers; compare all `commit` files, start a new ceremony"
    )]
    Different(Text<32>),
    /// A commitment of the wrong form, or to something else than the dealer's share.
    #[error(
        "(!) {from}'s commitment for epoch {epoch} is false: start a new ceremony without {from}"
    )]
    FalseCommitment {
        /// Whose.
        from: Text<32>,
        /// For which key.
        epoch: u8,
    },
    /// A sub-share that is not what its dealer committed to.
    #[error(
        "(!) {from}'s sub-share for epoch {epoch} is false: start a new ceremony without {from}"
    )]
    FalseShare {
        /// Whose.
        from: Text<32>,
        /// For which key.
        epoch: u8,
    },
    /// A confirmation of another group.
    #[error(
        "(!) {0} confirms another group than these commitments make: nobody may delete old shares; start a new ceremony"
    )]
    OtherConfirmation(Text<32>),
    /// A false part of a proof of possession.
    #[error("(!) {from}'s part of the proof of possession for epoch {epoch} is false")]
    FalseResponse {
        /// Whose.
        from: Text<32>,
        /// For which key.
        epoch: u8,
    },
    /// The keys changed, which no honest messages do.
    #[error("(!) the commitments of the dealers do not add up to the group's key")]
    KeyChanged,
    /// The library refused.
    #[error("key generation failed: {0}")]
    Library(String),
}
