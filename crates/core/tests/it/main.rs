//! The core from outside: a simulation against a reference model, and the rules of the command line one by one.

#[cfg(test)]
mod auditor;
#[cfg(test)]
mod choices;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod model;
#[cfg(test)]
mod shelf;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod waits;
#[cfg(test)]
mod world;
