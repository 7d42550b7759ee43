//! Two questions: do members get through, and does anybody else?

mod harness;
mod members;
mod refusals;
