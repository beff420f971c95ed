"""What Cais replaces: FastAPI takes a file, Pandas cleans it in the request, and then it is answered. Of what it writes only the file itself is synced."""

import os
import uuid

from clean_pandas import clean, guarded
from fastapi import FastAPI, Request, UploadFile

app = FastAPI()
FOLDER = os.environ["BENCH_FOLDER"]


def sync(path):
    """Makes a file and its name durable, as Cais does before it answers."""
    for name in (path, os.path.dirname(path)):
        handle = os.open(name, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


# Without async, so that FastAPI runs it in a thread and takes other requests meanwhile.
@app.post("/files")
def take_and_clean(file: UploadFile):
    name = f"{FOLDER}/{uuid.uuid4().hex}"
    with open(f"{name}.csv", "wb") as kept:
        while piece := file.file.read(1 << 20):
            kept.write(piece)
    sync(f"{name}.csv")
    rows, rejected = clean(f"{name}.csv")
    rows.to_parquet(f"{name}.parquet", compression="zstd", index=False)
    rejected.to_parquet(f"{name}.rejected.parquet", index=False)
    guarded(rows).to_csv(f"{name}.clean.csv", index=False, lineterminator="\r\n", date_format="%Y-%m-%d")
    return {"id": name, "rows": len(rows)}


@app.post("/raw")
async def stream_to_disk(request: Request):
    name = f"{FOLDER}/{uuid.uuid4().hex}.csv"
    with open(name, "wb") as kept:
        async for piece in request.stream():
            kept.write(piece)
    sync(name)
    return {"id": name}


@app.post("/form")
def form_to_disk(file: UploadFile):
    name = f"{FOLDER}/{uuid.uuid4().hex}.csv"
    with open(name, "wb") as kept:
        while piece := file.file.read(1 << 20):
            kept.write(piece)
    sync(name)
    return {"id": name}
