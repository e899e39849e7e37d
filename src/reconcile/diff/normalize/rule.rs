//! Equivalence rules, as data: `--explain` names them.

/// Reason for which a difference between a manifest and a definition is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equivalence {
    /// Filled in by the host, or by others.
    FilledIn,
    /// Identity of the guest.
    Identity,
    /// Equal but for whitespace.
    Blanks,
    /// Equal amounts in different units.
    Amount,
    /// Equal numbers of whole MiB, the resolution of a running guest.
    WholeMib,
    /// Equal numbers in different bases, or padded.
    Number,
    /// Equal permissions, in octal.
    Mode,
    /// Equal members of a set.
    Set,
    /// Equal MAC addresses.
    Mac,
    /// Equal UUIDs.
    Uuid,
    /// Equal IP addresses.
    Address,
    /// Equal networks, one by its mask and one by its prefix.
    Netmask,
    /// The host's version of a machine type.
    Machine,
    /// Rounded up to a power of two.
    PowerOfTwo,
    /// Equal but for upper and lower case.
    Case,
    /// Left to the host explicitly by the manifest.
    Auto,
    /// The first unit of an iSCSI target.
    FirstUnit,
    /// Default that the host takes where nothing is written, and does not write.
    Default,
    /// Limit with the meaning of "no limit".
    NoLimit,
    /// Value that a neighbouring one implies.
    Implied,
    /// Value that only a running instance has, or that is the host's own affair.
    OwnAffair,
    /// Value that a running instance shows in another form.
    OnlyAtBoot,
    /// A secret that is not kept.
    Secret,
    /// Left to others by the manifest's `ignore`.
    Ignored,
    /// Value that the host fills in anew, since its governor changes.
    Renewed,
}

impl Equivalence {
    /// All rules.
    pub const ALL: [Self; 25] = [
        Self::FilledIn,
        Self::Identity,
        Self::Blanks,
        Self::Amount,
        Self::WholeMib,
        Self::Number,
        Self::Mode,
        Self::Set,
        Self::Mac,
        Self::Uuid,
        Self::Address,
        Self::Netmask,
        Self::Machine,
        Self::PowerOfTwo,
        Self::Case,
        Self::Auto,
        Self::FirstUnit,
        Self::Default,
        Self::NoLimit,
        Self::Implied,
        Self::OwnAffair,
        Self::OnlyAtBoot,
        Self::Secret,
        Self::Ignored,
        Self::Renewed,
    ];

    /// Whether hosts keep either text as it is written, so that the manifest's is the one to send.
    pub(crate) fn is_spelling(self) -> bool {
        matches!(self, Self::Mac | Self::Address | Self::Case)
    }

    /// Returns the rule's name, for programs.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns a description, for people.
    pub fn describe(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::FilledIn => ("filled-in", "added by the host or by others, and left alone"),
            Self::Identity => ("identity", "added by the host: the guest's identity"),
            Self::Blanks => ("blanks", "the same except for whitespace"),
            Self::Amount => ("amount", "the same amount in another unit"),
            Self::WholeMib => ("whole-mib", "the same in whole MiB, which a running guest has"),
            Self::Number => ("number", "the same number, written differently"),
            Self::Mode => ("mode", "the same permissions, in octal"),
            Self::Set => ("set", "the same set, written differently"),
            Self::Mac => ("mac", "the same MAC address"),
            Self::Uuid => ("uuid", "the same UUID"),
            Self::Address => ("address", "the same IP address"),
            Self::Netmask => ("netmask", "the same network: a prefix is a netmask"),
            Self::Machine => ("machine", "the host's version of that machine type"),
            Self::PowerOfTwo => ("power-of-two", "rounded up to a power of two by the host"),
            Self::Case => ("case", "the same except for upper and lower case"),
            Self::Auto => ("auto", "chosen by the host, as the manifest asks"),
            Self::FirstUnit => ("first-unit", "the first unit of that iSCSI target"),
            Self::Default => ("default", "the default, which the host does not write"),
            Self::NoLimit => ("no-limit", "no limit, which is what leaving it out says"),
            Self::Implied => ("implied", "implied by a value beside it"),
            Self::OwnAffair => ("own-affair", "internal to the host"),
            Self::OnlyAtBoot => ("only-at-boot", "shown in another form while it runs"),
            Self::Secret => ("secret", "a secret, which is not stored for comparison"),
            Self::Ignored => ("ignored", "excluded by ignore"),
            Self::Renewed => ("renewed", "derived again by the host from a value that changes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_rule_has_a_name_and_words_of_its_own() {
        let names: BTreeSet<&str> = Equivalence::ALL.iter().map(|r| r.name()).collect();
        let words: BTreeSet<&str> = Equivalence::ALL.iter().map(|r| r.describe()).collect();
        assert_eq!((names.len(), words.len()), (Equivalence::ALL.len(), Equivalence::ALL.len()));
    }
}
