//! Prompt for credentials: questions to the user, and secrets, which nothing shows.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Password, or an answer that may be one. Nothing prints it: code that needs the text uses
/// [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A secret of that text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive)")
    }
}

/// Question of a host to whoever connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The name of a user of libvirt's there.
    Name {
        /// The host.
        host: String,
    },
    /// Password of that user.
    Password {
        /// The host.
        host: String,
        /// The user.
        name: String,
    },
}

impl Question {
    /// The host that wants to know it.
    pub fn host(&self) -> &str {
        match self {
            Self::Name { host } | Self::Password { host, .. } => host,
        }
    }
}

/// Function that asks the user; `None` if there is no answer.
type Ask = dyn Fn(&Question) -> Option<Secret> + Send + Sync;

/// Puts questions to the user. Its clones share their memory: a question is asked once, as a driver
/// opens more than one connection and opens lost ones again.
#[derive(Clone)]
pub struct CredentialPrompt(Arc<Memory>);

struct Memory {
    ask: Box<Ask>,
    answers: Mutex<Vec<(Question, Secret)>>,
}

impl CredentialPrompt {
    /// Creates a prompt that asks by `ask`.
    pub fn new(ask: impl Fn(&Question) -> Option<Secret> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Memory { ask: Box::new(ask), answers: Mutex::default() }))
    }

    /// Returns the answer, if there is one. Concurrent questions wait for each other.
    pub fn ask(&self, question: &Question) -> Option<Secret> {
        let mut answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = answers.iter().find(|(asked, _)| asked == question) {
            return Some(known.clone());
        }
        let answer = (self.0.ask)(question)?;
        answers.push((question.clone(), answer.clone()));
        Some(answer)
    }

    /// Forgets the answers for a host, because they were wrong.
    pub fn forget(&self, host: &str) {
        let mut answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|(question, _)| question.host() != host);
    }
}

impl fmt::Debug for CredentialPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialPrompt").finish_non_exhaustive()
    }
}

/// Compares by identity, not by behaviour.
impl PartialEq for CredentialPrompt {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CredentialPrompt {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_question_is_asked_once_until_the_answer_was_wrong() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let credential_prompt = CredentialPrompt::new(move |_| {
            Some(Secret::new(counter.fetch_add(1, Ordering::Relaxed).to_string()))
        });
        let question = Question::Name { host: "h".into() };
        let answer = |credential_prompt: &CredentialPrompt| {
            credential_prompt.ask(&question).unwrap().expose().to_owned()
        };
        assert_eq!(
            (answer(&credential_prompt), answer(&credential_prompt.clone())),
            ("0".into(), "0".into())
        );
        credential_prompt.forget("other");
        assert_eq!(answer(&credential_prompt), "0");
        credential_prompt.forget("h");
        assert_eq!(answer(&credential_prompt), "1");
    }

    #[test]
    fn nothing_shows_a_secret() {
        let credential_prompt = CredentialPrompt::new(|_| Some(Secret::new("tiger")));
        let question = Question::Password { host: "h".into(), name: "scott".into() };
        let answer = credential_prompt.ask(&question);
        assert_eq!(
            format!("{answer:?} {credential_prompt:?}"),
            "Some((sensitive)) CredentialPrompt { .. }"
        );
    }
}
