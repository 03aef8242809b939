"""`make dashboards`: writes grafana/dashboards/*.json."""

from grafana.builder import FOLDER, boards

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for board in boards():
        (FOLDER / f"{board.name}.json").write_text(board.text(), encoding="utf-8")
