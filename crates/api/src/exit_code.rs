//! The exit codes of `adj`; a number never gets a second meaning.

use crate::types::turn::{OutcomeWord, TurnResult};

/// What the exit code of a command says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// Completed: use the result.
    Completed,
    /// The turn failed, or the call was understood and refused.
    Refused,
    /// The call itself is wrong; nothing happened.
    Usage,
    /// Somebody must answer a request.
    WaitingForInput,
    /// No such session, message or request, or the session has ended.
    NotFound,
    /// It may or may not have taken effect.
    Unknown,
    /// The time was over; the work goes on.
    Timeout,
    /// The turn was interrupted, or `adj` itself was.
    Interrupted,
    /// Daemon or host cannot be reached.
    Unreachable,
}

impl ExitCode {
    /// Every exit code.
    pub const ALL: [Self; 9] = [
        Self::Completed,
        Self::Refused,
        Self::Usage,
        Self::WaitingForInput,
        Self::NotFound,
        Self::Unknown,
        Self::Timeout,
        Self::Interrupted,
        Self::Unreachable,
    ];

    /// What several sessions together give: the first of these that applies to any of them.
    pub const ORDER_FOR_SEVERAL: [Self; 9] = [
        Self::Usage,
        Self::WaitingForInput,
        Self::Unreachable,
        Self::Unknown,
        Self::NotFound,
        Self::Refused,
        Self::Interrupted,
        Self::Timeout,
        Self::Completed,
    ];

    /// The number that the process ends with.
    pub const fn number(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::WaitingForInput => 3,
            Self::NotFound => 4,
            Self::Unknown => 5,
            Self::Timeout => 124,
            Self::Interrupted => 130,
            Self::Unreachable => 255,
        }
    }

    /// The code of a number, where it has one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// What a caller should do.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Completed => "use the result",
            Self::Refused => "read the error; repeat only after changing something",
            Self::Usage => "correct the call",
            Self::WaitingForInput => "`adj respond`",
            Self::NotFound => "`adj list -a`, then `adj wake` or `adj create`",
            Self::Unknown => "look (`status`, `queue list`, `logs`) before repeating",
            Self::Timeout => "call `wait` again",
            Self::Interrupted => "ask who interrupted it",
            Self::Unreachable => "retry; it says nothing about the session",
        }
    }

    /// The code of an outcome, where no command's own code stands above it.
    pub fn of_outcome(outcome: &OutcomeWord) -> Self {
        match outcome {
            OutcomeWord::Completed | OutcomeWord::Idle => Self::Completed,
            OutcomeWord::Failed => Self::Refused,
            OutcomeWord::Interrupted => Self::Interrupted,
            OutcomeWord::Exited => Self::NotFound,
            OutcomeWord::WaitingForInput => Self::WaitingForInput,
            OutcomeWord::Timeout => Self::Timeout,
            OutcomeWord::Unknown | OutcomeWord::Other(_) => Self::Unknown,
        }
    }

    /// The code of several results at once; a failed command counts as refused.
    pub fn of_several(results: impl IntoIterator<Item = Self>) -> Self {
        let rank = |code: Self| Self::ORDER_FOR_SEVERAL.iter().position(|c| *c == code).unwrap_or(0);
        results.into_iter().min_by_key(|code| rank(*code)).unwrap_or(Self::Completed)
    }
}

/// The number that a command about one turn ends with: the command's own exit code where the turn ran one to its end.
pub fn number_of(result: &TurnResult) -> u8 {
    let finished = matches!(result.outcome, OutcomeWord::Completed | OutcomeWord::Failed);
    let own = result.exit_code.filter(|_| finished).and_then(|code| u8::try_from(code).ok());
    own.unwrap_or_else(|| ExitCode::of_outcome(&result.outcome).number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_fixed() {
        assert_eq!(ExitCode::ALL.map(ExitCode::number), [0, 1, 2, 3, 4, 5, 124, 130, 255]);
        for code in ExitCode::ALL {
            assert_eq!(ExitCode::from_number(code.number()), Some(code));
        }
    }

    #[test]
    fn several_sessions_give_the_first_in_the_order_of_the_page() {
        let order = [3, 255, 5, 4, 1, 130, 124, 0].map(|n| ExitCode::from_number(n).unwrap());
        for (place, first) in order.iter().enumerate() {
            let rest = order[place..].iter().rev().copied();
            assert_eq!(ExitCode::of_several(rest), *first);
        }
        assert_eq!(ExitCode::of_several([]), ExitCode::Completed);
    }

    #[test]
    fn a_commands_own_code_passes_through_when_it_finished() {
        let mut result = TurnResult::idle("fizz-top");
        assert_eq!(number_of(&result), 0);
        result.outcome = OutcomeWord::Failed;
        assert_eq!(number_of(&result), 1);
        result.exit_code = Some(7);
        assert_eq!(number_of(&result), 7);
        result.outcome = OutcomeWord::Interrupted;
        assert_eq!(number_of(&result), 130);
    }
}
