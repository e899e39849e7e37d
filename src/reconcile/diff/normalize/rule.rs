//! The rules by which a difference is none, as data: what `--explain` names.

/// Why a difference between a manifest and a definition is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equivalence {
    /// Filled in by the host, or by others.
    FilledIn,
    /// What the guest knows itself by.
    Identity,
    /// The same but for blanks.
    Blanks,
    /// The same amount in another unit.
    Amount,
    /// The same number of whole MiB, which is what a running guest has.
    WholeMib,
    /// The same number in another base, or padded.
    Number,
    /// The same permissions, in octal.
    Mode,
    /// The same members of a set.
    Set,
    /// The same MAC address.
    Mac,
    /// The same UUID.
    Uuid,
    /// The same IP address.
    Address,
    /// The same network, by its mask or by its prefix.
    Netmask,
    /// The host's version of a machine type.
    Machine,
    /// Rounded up to a power of two.
    PowerOfTwo,
    /// The same but for upper and lower case.
    Case,
    /// Left to the host by the manifest's own word.
    Auto,
    /// The first unit of an iSCSI target.
    FirstUnit,
    /// What the host takes where nothing is written, and does not write.
    Default,
    /// A limit that is none.
    NoLimit,
    /// What something beside it says already.
    Implied,
    /// What only a running instance has, or is the host's own affair.
    OwnAffair,
    /// What a running instance shows in another form.
    OnlyAtBoot,
    /// A secret that is not kept.
    Secret,
    /// Left to others by the manifest's `ignore`.
    Ignored,
    /// Filled in anew by the host, since what it was derived from changes.
    Renewed,
}

impl Equivalence {
    /// All of them.
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

    /// Its name, for machines.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// What it says, for people.
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
