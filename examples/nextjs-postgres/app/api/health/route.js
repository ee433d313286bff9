import { database } from "../../../lib/database";

export const dynamic = "force-dynamic";

export async function GET() {
  try {
    const { rows } = await database.query("select current_database() as database");
    return Response.json(rows[0]);
  } catch (error) {
    return Response.json({ error: error.message || error.code }, { status: 503 });
  }
}
