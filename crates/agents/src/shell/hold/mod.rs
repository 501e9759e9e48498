//! The runner of a shell session: holds one bash, gives it messages, and writes down what becomes of them.

mod bash;
mod control;
mod end;
mod holder;
mod input;
mod interrupt;
mod marks;
mod orders;
mod output;
mod settle;
mod turn;
mod viewers;

use std::io;

use self::holder::Holder;
use crate::runner::Claimed;

/// Holds the shell of a session that this runner has claimed, until it has ended.
pub(crate) async fn hold(claimed: Claimed) -> io::Result<()> {
    let Claimed { plan, journal, endpoint, signals, inputs } = claimed;
    Holder::begin(plan, journal, endpoint, signals, inputs).await
}
