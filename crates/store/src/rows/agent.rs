//! Rows of what agents do and say.

use adjutant_core::agent::{
    AnswerSize, Evidence, Mode, NewRequest, Question, QuestionOption, RequestEnd, RequestKind, SessionEnd, Source,
    StartFailure, TurnEnd, TurnOrigin, Usage,
};
use adjutant_core::id::MessageId;
use adjutant_core::outcome::{ExitStatus, Outcome};
use adjutant_core::time::Timestamp;

mirror! {
    enum ModeRow = Mode {
        Native,
        Guarded,
        Docker,
    }
}

mirror! {
    struct EvidenceRow = Evidence {
        source: String,
        detail: String,
        at: Timestamp,
    }
}

mirror! {
    enum SourceRow = Source {
        Daemon,
        ControlPipe,
        Runner,
        Process,
        Protocol,
        Hook,
        StatusFile,
    }
}

mirror! {
    struct AnswerSizeRow = AnswerSize {
        bytes: u64,
        cut_bytes: u64,
    }
}

mirror! {
    struct TurnEndRow = TurnEnd {
        outcome: Outcome,
        exit: Option<ExitStatus>,
        detail: Option<String>,
        answer: AnswerSize,
        usage: Option<Usage>,
    }
}

mirror! {
    struct UsageRow = Usage {
        input_tokens: u64,
        output_tokens: u64,
        cache_read_tokens: u64,
        cache_write_tokens: u64,
    }
}

mirror! {
    enum SessionEndRow = SessionEnd {
        Ended { exit: ExitStatus, },
        Killed,
        Lost { detail: String, },
        StartFailed { why: StartFailure, },
    }
}

mirror! {
    enum StartFailureRow = StartFailure {
        AgentNotFound { detail: String, },
        AgentStartFailed { detail: String, },
        AuthRequired { detail: String, },
        TrustRequired { detail: String, },
        NotReady { detail: String, },
        Withdrawn,
    }
}

mirror! {
    enum RequestKindRow = RequestKind {
        Permission,
        Choice,
        Input,
    }
}

mirror! {
    struct NewRequestRow = NewRequest {
        native: String,
        kind: RequestKind,
        tool: Option<String>,
        summary: String,
        options: Vec<String>,
        multiple: bool,
        questions: Vec<Question>,
        details: String,
    }
}

mirror! {
    struct QuestionRow = Question {
        label: String,
        text: String,
        options: Vec<QuestionOption>,
        multiple: bool,
        free_text: bool,
    }
}

mirror! {
    struct QuestionOptionRow = QuestionOption {
        label: String,
        description: Option<String>,
    }
}

mirror! {
    enum RequestEndRow = RequestEnd {
        Answered,
        AnsweredThere,
        Withdrawn,
    }
}

mirror! {
    enum TurnOriginRow = TurnOrigin {
        Message(id: MessageId),
        Person,
        Agent,
    }
}
