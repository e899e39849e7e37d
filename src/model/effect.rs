//! How disruptive a step is to the guest it concerns.

use std::fmt;

/// Effect classes, from harmless to destructive; the order is the gate's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// No running guest notices.
    None,
    /// Changed while running; the guest may notice, nothing stops.
    Live,
    /// A device of a running guest is gone for a moment.
    Blip,
    /// A network goes down and up again.
    NetworkRestart,
    /// Waits for the next boot.
    NextBoot,
    /// A running guest goes down.
    Restart,
    /// The object is removed and made anew.
    Replace,
    /// Something that cannot be brought back is removed.
    DataLoss,
}

impl Effect {
    /// All of them in order.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Live,
        Self::Blip,
        Self::NetworkRestart,
        Self::NextBoot,
        Self::Restart,
        Self::Replace,
        Self::DataLoss,
    ];

    /// The word for it on the command line, in manifests and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Live => "live",
            Self::Blip => "blip",
            Self::NetworkRestart => "network-restart",
            Self::NextBoot => "next-boot",
            Self::Restart => "restart",
            Self::Replace => "replace",
            Self::DataLoss => "data-loss",
        }
    }

    /// The effect of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.word() == word)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
