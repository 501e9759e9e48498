//! Requests: questions that block an agent.

use serde_json::Value;

use crate::schema::{answer, call, words};
use crate::time::WireTime;

words! {
    /// The kind of a request.
    pub enum RequestKindWord {
        /// May it do this?
        Permission = "permission",
        /// Which of these?
        Choice = "choice",
        /// What should it be?
        Input = "input",
    }

    /// What is answered to a request.
    pub enum Decision {
        /// A permission, this once.
        Allow = "allow",
        /// A permission, for the rest of the session.
        Always = "always",
        /// No.
        Deny = "deny",
        /// One or more of its options.
        Choose = "choose",
        /// Free text.
        Text = "text",
        /// Closed without an answer.
        Dismiss = "dismiss",
    }
}

answer! {
    /// A question that an agent has put and that blocks it.
    pub struct Request {
        /// Its id, such as `r3`.
        pub id: String,
        /// The session whose agent asks.
        pub session: String,
        /// The host of that session, where it is another one.
        pub host: Option<String>,
        /// What kind of answer it wants.
        pub kind: RequestKindWord,
        /// The tool it is about.
        pub tool: Option<String>,
        /// One line for a person.
        pub summary: String,
        /// The agent's own details.
        pub input: Value,
        /// What can be chosen.
        pub options: Vec<RequestOption>,
        /// More than one option may be chosen.
        pub multiple: bool,
        /// The questions of a request that asks for choices.
        pub questions: Vec<Question>,
        /// When the agent put it.
        pub opened_at: WireTime,
    }

    /// One option of a request.
    pub struct RequestOption {
        /// Its number, from 1.
        pub n: u32,
        /// What it says.
        pub label: String,
    }

    /// One question of a request.
    pub struct Question {
        /// A word or two by which it is named in an answer.
        pub label: String,
        /// The question itself.
        pub text: String,
        /// What can be chosen.
        pub options: Vec<QuestionOption>,
        /// More than one option may be chosen.
        pub multiple: bool,
        /// A text of one's own is an answer too.
        pub free_text: bool,
    }

    /// One option of a question.
    pub struct QuestionOption {
        /// Its number, from 1.
        pub n: u32,
        /// What it says.
        pub label: String,
        /// What choosing it means.
        pub description: Option<String>,
    }

    /// A request that has been answered.
    pub struct Responded {
        /// The request.
        pub request: Request,
        /// What was answered.
        pub decision: Decision,
        /// Who answered: a session's id, or `human`.
        pub by: String,
    }
}

call! {
    /// Which open requests are wanted; all, oldest first, unless something is named.
    pub struct RequestsQuery {
        /// Only of this session.
        pub session: Option<String>,
        /// Only of sessions of this agent.
        pub cli: Option<String>,
        /// Only of this session and its descendants.
        pub tree: Option<String>,
    }

    /// The answer to a request.
    pub struct AnswerRequest {
        /// What is answered.
        pub decision: Option<Decision>,
        /// With `deny`: what the agent is told.
        pub reason: Option<String>,
        /// With `choose`: numbers or labels, each preceded by `<question>=` where several questions are asked.
        #[serde(default)]
        pub choose: Vec<String>,
        /// With `text`: the text.
        pub text: Option<String>,
    }
}
