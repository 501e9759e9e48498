//! The methods as tools: a client on standard input and output, one over HTTP, and a stranger's conformance suite.

mod agents;
mod client;
mod conformance;
mod http;
mod tools;
