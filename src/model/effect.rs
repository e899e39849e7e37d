//! Effects: how disruptive a step is to the guest it concerns.

use std::fmt;

/// Effect classes, from harmless to destructive, in the order of the effect policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// No guest and no object comes or goes, and no running one notices.
    None,
    /// An object is there that was not.
    Creates,
    /// An object runs that did not.
    Starts,
    /// Changed while running; the guest may notice, nothing stops.
    Live,
    /// A device of a running guest is gone for a moment.
    BriefOutage,
    /// A network goes down and up again.
    NetworkRestart,
    /// Waits for the next boot.
    NextBoot,
    /// A running guest goes down and comes up again.
    Restart,
    /// Running objects go down and stay down.
    Stops,
    /// The object is removed; its disks stay.
    Deletes,
    /// The object is removed and made anew.
    Replace,
    /// Data that cannot be brought back is removed.
    DataLoss,
}

impl Effect {
    /// All effects in order.
    pub const ALL: [Self; 12] = [
        Self::None,
        Self::Creates,
        Self::Starts,
        Self::Live,
        Self::BriefOutage,
        Self::NetworkRestart,
        Self::NextBoot,
        Self::Restart,
        Self::Stops,
        Self::Deletes,
        Self::Replace,
        Self::DataLoss,
    ];

    /// The word for it on the command line, in manifests and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Creates => "creates",
            Self::Starts => "starts",
            Self::Live => "live",
            Self::BriefOutage => "blip",
            Self::NetworkRestart => "network-restart",
            Self::NextBoot => "next-boot",
            Self::Restart => "restart",
            Self::Stops => "stops",
            Self::Deletes => "deletes",
            Self::Replace => "replace",
            Self::DataLoss => "data-loss",
        }
    }

    /// The effect of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.as_str() == word)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
