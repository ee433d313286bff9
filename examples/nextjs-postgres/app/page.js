import { database } from "../lib/database";

export const dynamic = "force-dynamic";

export default async function Page() {
  const { rows } = await database.query("select id, text from notes order by id");
  return (
    <ul>
      {rows.map(({ id, text }) => (
        <li key={id}>{text}</li>
      ))}
    </ul>
  );
}
