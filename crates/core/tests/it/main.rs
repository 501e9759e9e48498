//! The core from outside: a simulation against a reference model, and the rules of the command line one by one.

#[cfg(test)]
mod after;
#[cfg(test)]
mod auditor;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod cast;
#[cfg(test)]
mod choices;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod model;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod revive;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod shelf;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tally;
#[cfg(test)]
mod truth;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod waits;
#[cfg(test)]
mod world;
