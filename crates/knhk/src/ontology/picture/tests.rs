use super::*;

/// A history of `count` snapshots; every seventh rolls back.
fn drawing(count: usize, left_out: usize) -> Drawing {
    let snapshots = (0..count)
        .map(|place| {
            let restored = (place % 7 == 6)
                .then(|| if place == 6 { Restored::NotDrawn } else { Restored::At(place - 5) });
            Drawn {
                version: format!("{}.{}.0", place / 10, place % 10),
                id: format!("{place:064x}"),
                content: format!("{:064x}", place * 7919),
                since: instant(1_767_600_000_000 + i64::try_from(place).unwrap() * 3_600_000),
                changes: in_kinds(&[
                    ("class", false),
                    ("property", true),
                    ("range", true),
                    ("maximum", true),
                    ("label", true),
                ]),
                effect: [Effect::Weakening, Effect::Neutral, Effect::Strengthening][place % 3],
                made: if restored.is_some() { Made::Rollback } else { Made::Promotion },
                by: "proposal <3f2a91> & \"more\" than a line can hold, whatever it says".to_owned(),
                more: "a reason with <markup> & \u{1} a control character".to_owned(),
                is_current: place + 1 == count,
                restored,
            }
        })
        .collect();
    Drawing { sector: "a-sector".to_owned(), snapshots, left_out }
}

/// Boxes as (x, y), read from the picture.
fn boxes(svg: &str) -> Vec<(usize, usize)> {
    let number = |line: &str, name: &str| -> Option<usize> {
        line.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0.parse().ok()
    };
    svg.lines()
        .filter(|line| line.starts_with("<rect") && line.contains("rx=\"6\""))
        .filter_map(|line| Some((number(line, "x")?, number(line, "y")?)))
        .collect()
}

#[test]
fn kinds_of_changes_are_counted() {
    assert_eq!(in_kinds(&[]), "says the same");
    let aspects = [
        ("class", false),
        ("parent", false),
        ("property", true),
        ("maximum", true),
        ("heartbeat, ms", false),
    ];
    assert_eq!(in_kinds(&aspects), "2 classes, 1 key, 1 constraint, 1 setting");
}

#[test]
fn boxes_do_not_overlap_and_lie_in_the_picture_however_many() {
    for count in [1, 2, 6, 7, 50, SNAPSHOTS_DRAWN] {
        let svg = svg::draw(&drawing(count, 0));
        let boxes = boxes(&svg);
        assert_eq!(boxes.len(), count);
        let size = svg.split_once("viewBox=\"0 0 ").unwrap().1.split_once('"').unwrap().0;
        let (width, height) = size.split_once(' ').unwrap();
        let (width, height): (usize, usize) = (width.parse().unwrap(), height.parse().unwrap());
        for (place, (x, y)) in boxes.iter().enumerate() {
            assert!(x + 250 <= width && y + 92 <= height, "{count}: {x} {y} in {width} {height}");
            let clear = boxes[..place].iter().all(|(a, b)| x.abs_diff(*a) >= 250 || y.abs_diff(*b) >= 92);
            assert!(clear, "{count}: two boxes overlap at {x} {y}");
        }
        assert!(width < 4 * height.max(300) && height < 4 * width, "{count}: {width} x {height}");
    }
}

#[test]
fn a_picture_is_the_same_each_time_and_holds_nothing_from_outside() {
    let drawing = drawing(20, 7);
    let svg = svg::draw(&drawing);
    assert_eq!(svg, svg::draw(&drawing));
    assert_eq!(svg.matches("class=\"n\"").count(), 19);
    assert_eq!(svg.matches("class=\"b\"").count(), 2);
    assert!(svg.contains("7 earlier snapshots before the first are not drawn"));
    assert!(svg.contains("&lt;3f2a91&gt; &amp; &quot;more&quot;") && !svg.contains('\u{1}'));
    // The only address is the name of the language.
    assert_eq!(svg.matches("http").count(), 1);
    assert!(!svg.contains("href") && !svg.contains("<script") && !svg.contains("@import"));
}

#[test]
fn programs_that_draw_get_the_same_edges() {
    let drawing = drawing(20, 7);
    let (dot, mermaid) = (text::dot(&drawing), text::mermaid(&drawing));
    assert_eq!(dot.matches(" -> ").count(), 19 + 2);
    assert!(dot.contains("s13 -> s8 [style=dashed") && dot.contains("s6 -> r6"), "{dot}");
    assert!(dot.contains("& \\\"more\\\" than"));
    assert_eq!(mermaid.matches(" --> ").count(), 19);
    assert!(mermaid.contains("s13 -. content .-> s8") && mermaid.contains("#lt;3f2a91#gt;"), "{mermaid}");
}

/// Where a reader of XML is at hand it must agree that this is XML; `scripts/exports` looks at real ones.
#[test]
fn markup_is_balanced() {
    let svg = svg::draw(&drawing(9, 0));
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    assert!(open.is_empty());
}
