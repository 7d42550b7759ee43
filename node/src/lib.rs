//! The node: configuration, store, network, runtime and command line of every role (ARCHITECTURE.md).
#![forbid(unsafe_code)]

pub mod access;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod http;
pub mod in_force;
pub mod membership;
pub mod net;
pub mod network;
pub mod node;
pub mod opening;
pub mod operator;
mod register;
pub mod replay;
pub mod runtime;
pub mod store;
pub mod usage;
