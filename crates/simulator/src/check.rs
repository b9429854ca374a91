//! What must hold whenever the log is looked at, and after every recovery.

use knhk_evidence::SigningKey;
use knhk_evidence::entry::Entry;
use knhk_storage::audit::{self, Audit};
use knhk_storage::{Directory, read};

use crate::model::{Model, retained_from};

/// Every acknowledged entry is there, byte for byte and in order, and nothing else; except what was dropped on purpose.
pub(crate) fn content(directory: &Directory, model: &mut Model) -> Result<(), String> {
    let (mut next, mut segment, mut may_begin) = (None, None, 0);
    for located in read::entries(directory).map_err(|error| format!("cannot read: {error}"))? {
        let located = located.map_err(|error| format!("cannot read: {error}"))?;
        let first = *next.get_or_insert(located.index);
        if located.index != first {
            return Err(format!("entry {} stands where {first} is due", located.index));
        }
        model.compare(located.index, &located.entry, segment != Some(located.segment))?;
        if let Entry::Input(input) = &located.entry {
            may_begin = may_begin.max(retained_from(input).map_or(0, |(from, _)| from));
        }
        if segment.is_none() {
            if located.index < model.gone {
                return Err(format!("entry {} was dropped and is there", located.index));
            }
            model.first = located.index;
        }
        segment = Some(located.segment);
        next = Some(located.index + 1);
    }
    if next.unwrap_or_default() != model.size {
        return Err(format!("{} entries were acknowledged, the log ends at {next:?}", model.size));
    }
    if model.first > may_begin {
        return Err(format!("entries before {} are missing, not dropped", model.first));
    }
    Ok(())
}

/// The log verifies, and agrees with every checkpoint that was ever shown and with what producers lost.
pub(crate) fn verified(directory: &Directory, model: &Model, keys: &[SigningKey]) -> Result<(), String> {
    let kept: Vec<_> = model.shown.range(model.first..).map(|(_, (_, note))| note.as_str()).collect();
    // A key hands over to the later ones; but a log whose beginning was dropped vouches for the key in force alone.
    let in_force = keys.iter().find(|key| Some(key.verifying_key().to_string().as_str()) == model.key());
    let first_key =
        if model.first == 0 { keys.first() } else { in_force }.ok_or("there is no key in force")?;
    let audit = Audit { trusted: Some(first_key.verifying_key()), kept: &kept, ..Audit::default() };
    let report = audit::verify_with(directory, &audit, &mut |_| {})
        .map_err(|error| format!("{} checkpoints were shown, and: {error}", kept.len()))?;
    if report.tree_size != model.size {
        return Err(format!("{} entries verify, acknowledged were {}", report.tree_size, model.size));
    }
    if report.counts.observations != model.observations() {
        return Err(format!("{} observations, not {}", report.counts.observations, model.observations()));
    }
    if report.lost != model.lost() {
        return Err(format!("the log says lost {:?}, the model {:?}", report.lost, model.lost()));
    }
    Ok(())
}
